#!/usr/bin/env bash
# Fails where a C++ file is not as clang-format 22 writes it, or where the first
# line of a file does not name it in 80 columns.
source "$(dirname "$0")/scripts/common.sh"
cd "$root"

formatter=$llvm/bin/clang-format
"$formatter" --version | grep -q 'version 22\.' ||
  fail "$formatter: expected version 22"

wrong=0
while IFS= read -r file; do
  "$formatter" "$file" | cmp -s - "$file" ||
    { echo "$file: run $formatter -i"; wrong=1; }
done < <(git ls-files '*.cpp' '*.h' '*.c')
while IFS= read -r file; do
  first=$(head -n 1 "$file")
  [[ ${#first} -eq 80 && $first == ?'/===- '"${file##*/}"' - '*'===//' ]] ||
    [[ ${#first} -eq 80 && $first == '/*===- '"${file##*/}"' - '*'===//' ]] ||
    { echo "$file: expected a first line of 80 columns that names the file"; wrong=1; }
done < <(git ls-files '*.cpp' '*.h' '*.td')
exit $wrong
