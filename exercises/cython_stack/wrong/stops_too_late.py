# Caught by single.
# Line 34 is inside is_live(): the item has been passed on by then. And cygdb knows no current module yet.
# BEGIN 5
IN_GDB = "break cy_attribute_broken.pyx:34"
IN_CYGDB = "cy break :50"
# END
