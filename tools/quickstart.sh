#!/usr/bin/env bash
# From a fresh clone to a right answer: installs what is missing, builds,
# compiles the shipped phone-book hybrid to one artifact and asks it a number.
source "$(dirname "$0")/scripts/common.sh"

install_packages
configure "$root/build"
build "$root/build" ssmc ssmc-run

model=$root/test/models/hybrid
artifact=$root/build/phone-book.ssmx
prompt=$'Phone book:\nKurt: 362-6813\nZara: 539-3573\nKara: 316-8910\nViktor: 720-5410\nExamples:\nKara: 316-8910\nZara: 539-3573\nQuestion:\nKurt:'

say "ssmc compile test/models/hybrid -o build/phone-book.ssmx"
"$root/build/bin/ssmc" compile "$model" -o "$artifact"
say "ssmc-run build/phone-book.ssmx --weights test/models/hybrid --prompt ..."
report=$("$root/build/bin/ssmc-run" "$artifact" --weights "$model" --prompt "$prompt" --json)
printf '%s' "$prompt"
python3 - "$report" <<'END'
import json, sys
report = json.loads(sys.argv[1])
timings = report["timings"]
print(report["text"])
print(f"prefill {report['prompt_tokens']} tokens at "
      f"{timings['prefill_tokens_per_s']:.0f} tokens/s, decode at "
      f"{timings['decode_tokens_per_s']:.0f} tokens/s, "
      f"{report['image']}, {report['precision']}, {report['threads']} threads")
if report["text"] != " 362-6813":
    sys.exit("error: expected Kurt's number 362-6813")
END
say "Kurt's number is right"
