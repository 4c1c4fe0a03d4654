# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Turn a YAML or JSON document of the kind that seeds are made of into lines "path/to/key value".
# Block and flow collections, quoted and plain scalars; literal blocks are passed over.

function indent_of(line) { match(line, /^ */); return RLENGTH }
function trimmed(text) { sub(/^ +/, "", text); sub(/ +$/, "", text); return text }
function joined(path, key) { return path == "" ? key : path "/" key }

function unquoted(text,    first) {
  text = trimmed(text)
  first = substr(text, 1, 1)
  if (length(text) > 1 && (first == "\"" || first == "'") && substr(text, length(text)) == first)
    return substr(text, 2, length(text) - 2)
  sub(/ #.*$/, "", text)
  return trimmed(text)
}

# The depth of brackets that stay open at the end of a text, outside of quotes.
function open_depth(text,    i, c, quote, depth) {
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (quote != "") { if (c == quote) quote = "" }
    else if (c == "\"" || c == "'") quote = c
    else if (c == "[" || c == "{") depth++
    else if (c == "]" || c == "}") depth--
  }
  return depth
}

function skip_space() { while (substr(S, P, 1) == " ") P++ }

# A quoted or plain word of a flow collection; a plain one ends at a delimiter.
function flow_word(    c, start) {
  skip_space()
  c = substr(S, P, 1)
  start = P
  if (c == "\"" || c == "'") {
    P++
    while (P <= length(S) && substr(S, P, 1) != c) P++
    P++
    return substr(S, start + 1, P - start - 2)
  }
  while (P <= length(S) && index(",]}", substr(S, P, 1)) == 0 && !(substr(S, P, 1) == ":" && index(" ,]}", substr(S, P + 1, 1)))) P++
  return trimmed(substr(S, start, P - start))
}

function flow(path,    c, close_mark, number, key) {
  skip_space()
  c = substr(S, P, 1)
  if (c != "[" && c != "{") { print path " " flow_word(); return }
  close_mark = c == "[" ? "]" : "}"
  P++
  number = 0
  while (P <= length(S)) {
    skip_space()
    c = substr(S, P, 1)
    if (c == close_mark) { P++; return }
    if (c == ",") { P++; continue }
    if (close_mark == "]") key = number++
    else { key = flow_word(); skip_space(); P++ }
    flow(joined(path, key))
  }
}

# A value that begins on the current line; consumes the lines that it takes.
function inline(text, path, indent) {
  I++
  text = trimmed(text)
  if (text ~ /^[|>]/) {
    while (I <= N && indent_of(L[I]) > indent) I++
    return
  }
  if (text ~ /^[[{]/) {
    while (open_depth(text) > 0 && I <= N) text = text " " trimmed(L[I++])
    S = text; P = 1
    flow(path)
    return
  }
  print path " " unquoted(text)
}

function is_item(line) { return line ~ /^ *-( |$)/ }
function is_pair(text) { return text ~ /^("[^"]*"|'[^']*'|[^"'[{][^:]*):( |$)/ }

function block(indent, path, as_list,    text, key, number, rest) {
  number = 0
  while (I <= N && indent_of(L[I]) == indent && is_item(L[I]) == as_list) {
    text = trimmed(L[I])
    if (as_list) {
      rest = trimmed(substr(text, 2))
      key = number++
      if (is_pair(rest) || is_item(rest)) {
        L[I] = sprintf("%" (indent + 2) "s", "") rest
        block(indent + 2, joined(path, key), is_item(rest))
        continue
      }
    } else {
      match(text, /:( |$)/)
      key = unquoted(substr(text, 1, RSTART - 1))
      rest = trimmed(substr(text, RSTART + 1))
    }
    if (rest != "") { inline(rest, joined(path, key), indent); continue }
    I++
    if (I <= N && (indent_of(L[I]) > indent || (!as_list && indent_of(L[I]) == indent && is_item(L[I]))))
      block(indent_of(L[I]), joined(path, key), is_item(L[I]))
  }
}

/^ *#/ || /^ *$/ || /^(---|\.\.\.)/ { next }
{ gsub(/[\r\t]/, " "); L[++N] = $0 }

END {
  I = 1
  while (I <= N) {
    if (trimmed(L[I]) ~ /^[[{]/) inline(L[I], "", 0)
    else if (is_item(L[I]) || is_pair(trimmed(L[I]))) block(indent_of(L[I]), "", is_item(L[I]))
    else I++
  }
}
