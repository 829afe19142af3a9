#!/bin/sh
# man.sh PROGRAM DIR: tellscope(1) and a page for each command, out of the program's own help by help2man(1).
set -eu
program=$1 dir=$2
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(date +%s)}"
mkdir -p "$dir"

# page NAME COMMAND WHAT
page() {
    help2man --no-info --section=1 --name="$3" --help-option="$2 --help" --version-string="$("$program" --version | head -n 1)" "$program" |
        sed -e "s/^\\.TH TELLSCOPE /.TH $(echo "$1" | tr a-z A-Z) /" -e "s/^tellscope \\\\- /$1 \\\\- /" >"$dir/$1.1.new"
    {
        echo '.SH "SEE ALSO"'
        [ "$1" = tellscope ] || echo '.BR tellscope (1),'
        echo 'the manual among the documents of this package (manual.md)'
    } >>"$dir/$1.1.new"
    mv "$dir/$1.1.new" "$dir/$1.1"
}

page tellscope "" "summarise the network traffic of smart-home gateways"
"$program" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1 \2/p' | while read -r command what; do
    [ "$command" = help ] || page "tellscope-$command" "$command" "$what"
done
