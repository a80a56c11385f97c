#!/usr/bin/env bash
# The report in a real browser: it paints, in a wide and a narrow window, and nothing overflows to the side.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"
need_command chromium

run 1 1 --input.rows=600 '--model.hidden=[32]' --pretrain.epochs=3 --cluster.max_iter=40 \
    --cluster.update_interval=10 --run.output=glyphs
expect_exit 0 "a small run"
run_cmd $python "$root/tools/report.py" glyphs
expect_exit 0 "report"

browser() { run_cmd chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$tmp/profile" "$@"; }
painted() { # PNG: prints width, and the numbers of different colours in the picture
    $python -c "
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert('RGB')
print(picture.width, len(picture.getcolors(1 << 24)))" "$1"
}
for width in 1200 500; do
    browser --window-size=$width,5000 --screenshot="$tmp/$width.png" "file://$tmp/glyphs/report.html"
    expect_file "$width.png" "screenshot, $width pixels wide"
    read -r seen colours <<<"$(painted $width.png)"
    is "$seen" "$width" "its width"
    number_between "$colours" 500 16777216 "it has text, curves and points: different colours"
done

# A frame of 360 pixels, as a telephone has (Chromium's own window is never below 500).
sed -e "s/default-src 'none'; img-src data:; style-src 'unsafe-inline'/script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:/" \
    -e 's|</body>|<script>document.documentElement.style.width = "360px"; document.body.style.width = "360px"; document.title = "overflow=" + Math.max(0, ...[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") \&\& !e.closest("svg")).map(e => Math.round(e.getBoundingClientRect().right - 360)));</script></body>|' \
    glyphs/report.html >probe.html
browser --window-size=500,3000 --dump-dom "file://$tmp/probe.html"
ok "nothing is wider than a telephone" grep -q '<title>overflow=0<' "$out"
note "$(grep -o '<title>[^<]*' "$out" | head -n 1)"
done_testing
