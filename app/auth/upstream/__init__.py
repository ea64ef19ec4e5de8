"""Who we are to providers: credentials that are kept sealed in the database, signatures and tokens that are made."""
