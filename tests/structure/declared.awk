# Reads public headers; prints a line for each function or object declared WEFT_API:
#
#   FILE:LINE <tab> NAME <tab> TYPE <tab> COMMENT
#
# TYPE is what stands before the name, without WEFT_ words. COMMENT is the doc comment directly
# before the declaration, on one line; empty if there is none.

function flush_declaration(    head, name, type) {
	head = declaration
	sub(/\(.*/, "", head)
	gsub(/__attribute__ *$/, "", head)
	gsub(/WEFT_[A-Z_]+ */, "", head)
	gsub(/extern +/, "", head)
	sub(/;.*/, "", head)
	gsub(/[ \t]+$/, "", head)
	name = head
	sub(/^.*[^A-Za-z0-9_]/, "", name)
	type = substr(head, 1, length(head) - length(name))
	gsub(/^[ \t]+|[ \t]+$/, "", type)
	print FILENAME ":" declared_at "\t" name "\t" type "\t" comment
	declaration = ""
	comment = ""
}

FNR == 1 {
	in_comment = 0
	comment = ""
	declaration = ""
}

in_comment || /^[ \t]*\/\*/ {
	if (!in_comment) {
		is_doc = /^[ \t]*\/\*\*/
		text = ""
	}
	line = $0
	in_comment = line !~ /\*\//
	sub(/^[ \t]*\/?\*+\/?/, "", line)
	sub(/\*\/.*/, "", line)
	text = text " " line
	if (!in_comment) {
		gsub(/[ \t]+/, " ", text)
		sub(/^ /, "", text)
		comment = is_doc ? text : ""
	}
	next
}

declaration == "" && /^WEFT_API|^extern WEFT_API/ {
	declared_at = FNR
	declaration = $0
	if (/;/)
		flush_declaration()
	next
}

declaration != "" {
	declaration = declaration " " $0
	if (/;/)
		flush_declaration()
	next
}

# Anything else, an empty line included, parts a comment from what follows.
{ comment = "" }
