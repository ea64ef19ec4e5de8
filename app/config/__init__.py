"""The configuration: files, variables and options, read into frozen models and checked as a whole.

loader.load            the way in: everything below, in order
reading, interpolation YAML text → tree with places
environment            variables and options, laid over the files
validation, models     tree → typed settings; allowances, public_models and accounting are parts of models
activation             settings + catalogue + vendors' variables → the providers that are on
checks                 does the whole make sense?
"""
