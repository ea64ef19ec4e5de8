"""`switchgear doctor`: what in the surroundings keeps the gateway from running well, and what to do.

finding              one line of the report
machine              Python, open files, clock, variables
contents, storage    the database, its folder, the disk, the spool
shared_state         the Redis in `state`
listening            the address, and who may reach it
examination          all of them, and the report
"""
