# Writes the bytes of SOURCE to OUTPUT as a C array named SYMBOL, followed by a NUL, and their number as SYMBOL_size.
file(READ ${SOURCE} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include <stddef.h>\nextern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = {${bytes}0};\n"
                     "extern const size_t ${SYMBOL}_size;\nconst size_t ${SYMBOL}_size = sizeof ${SYMBOL} - 1;\n")
