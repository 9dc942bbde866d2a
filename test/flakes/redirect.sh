#!/usr/bin/busybox sh
# A CGI program under two names: redirect.tar.gz sends on to again.tar.gz, and that to a file of the reader's own.
case $SCRIPT_NAME in
  */redirect.tar.gz) to=http://$HTTP_HOST/cgi-bin/again.tar.gz ;;
  *) to=file:///etc/passwd ;;
esac
printf 'Status: 302 Found\r\nLocation: %s\r\n\r\n' "$to"
