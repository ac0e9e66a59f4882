-- A module that cannot be loaded.

error("this module does not load", 0)
