# SPDX-License-Identifier: MIT
# The exercises of the docs, "Change this and see", as checks: `make exercises`. Sourced by tests/run
# and tests/exercises/run, after queue.sh, boot.sh and talk.sh.
#
# Exercise N of docs/CHAPTER.md is the function CHAPTER_N in tests/exercises/CHAPTER.sh. What it
# changes is tests/exercises/CHAPTER-N.patch (or -Na, -Nb); what must be seen stands in the function.

exercise_dir=tests/exercises

# "CHAPTER N" for every exercise that the docs number, and for every one that is tried.
exercises_in_docs() {
    awk 'FNR == 1 { chapter = FILENAME; gsub(/.*\/|\.md$/, "", chapter); inside = 0 }
        /^## / { inside = $0 == "## Change this and see" }
        inside && /^[0-9]+\. / { print chapter, $1 + 0 }' docs/*.md | sort
}
exercises_tried() {
    local file
    for file in $exercise_dir/*.sh; do
        sed -nE 's/^([a-z][a-z0-9]*)_([0-9]+)\(\) .*/\1 \2/p' "$file"
    done | sort
}

exercises_are_whole() {
    local lost
    lost=$(comm -3 <(exercises_in_docs) <(exercises_tried))
    echo "note: $(exercises_in_docs | wc -l) exercises"
    [ -n "$lost" ] || return 0
    echo "numbered in docs/ and not tried, or (second column) tried and not in docs/:"
    echo "$lost"
    return 1
}

# Every patch still applies; and is one that an exercise uses.
exercise_patches_apply() {
    local patch name status=0
    for patch in $exercise_dir/*.patch; do
        name=$(basename "$patch" .patch)
        if ! grep -q "changed $name\$" $exercise_dir/"${name%-*}".sh; then
            echo "### no exercise uses $patch"
            status=1
        fi
        if ! patch --dry-run --batch --forward --silent -p1 < "$patch"; then
            echo "### $patch no longer applies"
            status=1
        fi
    done
    return $status
}

# Every page is linked in the README, and what README and pages link to is there.
doc_links_lead_somewhere() {
    local page target status=0
    for page in docs/*.md; do
        if ! grep -qF "($page)" README.md; then
            echo "### README.md does not lead to $page"
            status=1
        fi
    done
    for page in README.md docs/*.md; do
        while read -r target; do
            if ! [ -e "$(dirname "$page")/$target" ]; then
                echo "### $page leads to $target, which is not there"
                status=1
            fi
        done < <(grep -oE '\]\([^)#:]+' "$page" | cut -c3-)
    done
    return $status
}

# What a page names right behind a file, "[FILE](FILE) `name`, `name`", is in that file.
doc_names_are_there() {
    local page where file name status=0
    for page in README.md docs/*.md; do
        while read -r file name; do
            where=$(dirname "$page")/$file
            if ! [ -f "$where" ] || ! grep -qw -- "$name" "$where"; then
                echo "### $page: $file has no $name"
                status=1
            fi
        done < <(grep -oE '\]\([^)#:]+\.(c|h|asm)\)( `[A-Za-z_0-9]+`(,|;)?)+' "$page" |
            awk '{ file = $1; gsub(/^\]\(|\)$/, "", file)
                   for (i = 2; i <= NF; i++) { gsub(/[`,;]/, "", $i); print file, $i } }')
    done
    return $status
}

# The README says how many steps its reading order has.
readme_counts_its_steps() {
    local said steps
    said=$(sed -nE 's/.*\(#reading-order\) below: ([0-9]+) steps.*/\1/p' README.md)
    steps=$(sed -n '/^## Reading order/,/^## Commands/p' README.md | grep -cE '^\| [0-9]+ \|')
    echo "note: $steps steps"
    [ "$said" = "$steps" ]
}

# ---- words for exercises ----

tree=.

# A copy of the tree with what PATCH changes, where only that will be built anew: $tree from here on.
changed() { # PATCH
    [ "$tree" = . ] || rm -rf "$tree"
    tree=$(mktemp -d "$queue_dir/XXXXXX.tree")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$tree'" EXIT
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$tree"
    mkdir "$tree/build"
    cp -a build/plain build/checked build/font.bin build/droste.elf build/droste-checked.elf \
        "$tree/build"
    patch --batch --forward --silent -p1 -d "$tree" < "$exercise_dir/$1.patch"
}

# The path of a kernel, with the change if there is one: plain, checked, layer-N.
kernel() { # NAME
    local file=build/$1.elf
    case $1 in
    plain) file=build/droste.elf ;;
    checked) file=build/droste-checked.elf ;;
    esac
    [ "$tree" = . ] || make -s -j2 -C "$tree" "$file" >&2 || return 1
    echo "$tree/$file"
}

# Each TEXT (an extended regular expression) is in LOG, on a line behind that of the one before it.
said_in_order() { # LOG TEXT...
    local log=$1 line=1 text found
    shift
    for text in "$@"; do
        found=$(tail -n +$line "$log" | tr -d '\r' | grep -anE -m 1 -- "$text" | cut -d: -f1) || true
        if [ -z "$found" ]; then
            echo "### not said, or not where it belongs: $text"
            return 1
        fi
        line=$((line + found))
    done
}

# A boot with COMMAND LINE ends with STATUS and has said each TEXT, in this order.
boot_ends() { # STATUS KERNEL "COMMAND LINE" TEXT...
    local status=$1 image log
    image=$(mktemp "$queue_dir/XXXXXX.img") log=$(mktemp "$queue_dir/XXXXXX.img")
    tools/floppy "$(kernel "$2")" "$image" "$3"
    wants_status "$status" qemu "${with_serial[@]}" -boot a -m "${MEM:-64}" -cpu "${CPU:-qemu32}" \
        -drive "if=floppy,format=raw,readonly=on,file=$image" | tee "$log" || return 1
    said_in_order "$log" "${@:4}"
}

# The same, if it ends in any way but well: after a failed test a panic may come, or may not.
boot_stops() { # KERNEL "COMMAND LINE" TEXT...
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    if boot_ends $STATUS_PASS "$1" "$2" > "$log"; then
        cat "$log"
        echo "### nothing fails"
        return 1
    fi
    cat "$log"
    said_in_order "$log" "${@:3}"
}

# The self-tests of UNIT fail, these and no others: NAME is what stands in the report.
tests_fail() { # UNIT NAME...
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    boot_ends $STATUS_FAIL checked "test${1:+=$1}" > "$log" || true
    cat "$log"
    diff <(printf '%s\n' "${@:2}" | sort) <(tr -d '\r' < "$log" | sed -nE 's/^not ok [0-9]+ - //p' | sort)
}

# A session at the prompt; LINES as for printf. Each TEXT is said, in this order.
at_prompt() { # KERNEL "LINES" TEXT...
    local image log
    image=$(mktemp "$queue_dir/XXXXXX.img") log=$(mktemp "$queue_dir/XXXXXX.img")
    tools/floppy "$(kernel "$1")" "$image" "${OPTIONS:-}"
    # shellcheck disable=SC2059 # the lines hold \n
    printf "$2" | timeout -k 5 "$TIME_LIMIT" tools/run terminal "$image" 2>&1 | tee "$log"
    said_in_order "$log" "${@:3}"
}

# The same, where the session cannot end well.
at_prompt_until_it_stops() { # KERNEL "LINES" TEXT...
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    at_prompt "$1" "$2" > "$log" || true
    cat "$log"
    said_in_order "$log" "${@:3}"
}

# `family` runs, on a machine of MIB with OPTIONS, until it waits; the prompt is open. See talk.sh.
family_waits() { # KERNEL MIB "OPTIONS"
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk "$(kernel "$1")" "$image" "init=family $3" build/user/family=family
    talk_begin -boot c -drive "format=raw,snapshot=on,file=$image" -m "$2" -cpu pentium3
    await '^all wait'
    press_key
}
family_ends() {
    say 'resume\n\n'
    await '^all have ended'
    talk_end 129
}

# A row of a table of the bench lies between LEAST and MOST.
row_is_between() { # LOG ROW LEAST MOST
    local value
    value=$(awk -v row="$2" '$1 == row { print int($2) }' "$1")
    echo "note: $2 $value"
    [ -n "$value" ] && [ "$value" -ge "$3" ] && [ "$value" -le "$4" ]
}

# What the last group of EXPRESSION matches in LOG, line by line, as one line of words.
numbers_said() { # LOG EXPRESSION
    tr -d '\r' < "$1" | sed -nE "s/.*$2.*/\\1/p" | xargs
}

exercise_checks() {
    local chapter number
    for chapter in $exercise_dir/*.sh; do
        # shellcheck disable=SC1090
        . "$chapter"
    done
    while read -r chapter number; do
        check "exercise-$chapter-$number" "${chapter}_$number"
    done < <(exercises_tried)
}
