# shellcheck shell=bash disable=SC2154  # variables of lib.sh
# For tests of reports in a real browser; read it after lib.sh.
#     need_browser                  skips the test without Chromium, or without what report.py needs
#     shoot PAGE.html WIDTH FILE    a screenshot of a window WIDTH pixels wide
#     expect_painted PAGE.html      in windows of 1200 and 500 pixels the page has its width, and text and pictures
#     expect_narrow PAGE.html       in a frame of 360 pixels, as a telephone has, nothing overflows to the side
python=/usr/bin/python3

need_browser() {
    $python -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"
    need_command chromium
}

browser() { run_cmd chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$tmp/profile" "$@"; }

shoot() { browser --window-size="$2",5000 --screenshot="$tmp/$3" "file://$tmp/$1"; }

painted() { # PNG: prints width, and the numbers of different colours in the picture
    $python -c "
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert('RGB')
print(picture.width, len(picture.getcolors(1 << 24)))" "$1"
}

expect_painted() {
    local width seen colours
    for width in 1200 500; do
        shoot "$1" $width $width.png
        expect_file "$width.png" "screenshot, $width pixels wide"
        read -r seen colours <<<"$(painted $width.png)"
        is "$seen" "$width" "its width"
        number_between "$colours" 500 16777216 "it has text, curves and points: different colours"
    done
}

# Chromium's own window is never below 500 pixels, so the page itself is made narrow.
expect_narrow() {
    sed -e "s/default-src 'none'; img-src data:; style-src 'unsafe-inline'/script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:/" \
        -e 's|</body>|<script>document.documentElement.style.width = "360px"; document.body.style.width = "360px"; document.title = "overflow=" + Math.max(0, ...[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") \&\& !e.closest("svg")).map(e => Math.round(e.getBoundingClientRect().right - 360)));</script></body>|' \
        "$1" >probe.html
    browser --window-size=500,3000 --dump-dom "file://$tmp/probe.html"
    ok "nothing is wider than a telephone" grep -q '<title>overflow=0<' "$out"
    note "$(grep -o '<title>[^<]*' "$out" | head -n 1)"
}
