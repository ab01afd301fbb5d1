# Looks at the paths in its arguments and prints an answer a line, behind a first line that no greeting of a login shell is
# taken for: `present MODE CONTENT` with the content in base64, `absent`, or `unknown REASON`. A path that ends with a slash
# is a folder, of which only its presence is of interest.
set -f
LC_ALL=C
export LC_ALL
look() {
  case $1 in
  */) stat -L -c %a -- "$1" ;;
  *) stat -L -c %a -- "$1" && base64 -w 0 -- "$1" ;;
  esac
}
echo ----- files -----
for path; do
  if text=$(look "$path" 2>&1); then
    echo present $text
  else
    case $text in
    *': No such file or directory' | *': Not a directory') echo absent ;;
    *) echo unknown $text ;;
    esac
  fi
done
