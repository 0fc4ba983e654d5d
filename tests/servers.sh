#!/bin/sh
# Installs the real programs that tests use, from Debian's packages, when this runs as root and they are missing:
# Postfix for its smtp-sink and its bounces, Dovecot as the IMAP server that keeps them, newsboat as a feed reader, Chromium to
# see what people see, nginx and Caddy as web servers, a C compiler for a fast sink, SpamAssassin and OpenDKIM as receivers of mail have them.
set -eu

missing=""
[ -x /usr/sbin/smtp-sink ] || missing="$missing postfix"
[ -x /usr/sbin/dovecot ] || missing="$missing dovecot-imapd"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
command -v newsboat >/dev/null || missing="$missing newsboat"
command -v chromium >/dev/null || missing="$missing chromium fonts-liberation"
[ -x /usr/sbin/nginx ] && [ -e /usr/lib/nginx/modules/ngx_http_brotli_static_module.so ] ||
    missing="$missing nginx libnginx-mod-http-brotli-static"
command -v caddy >/dev/null || missing="$missing caddy"
command -v spamassassin >/dev/null || missing="$missing spamassassin"
[ -x /usr/sbin/opendkim ] || missing="$missing opendkim"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed:$missing. The tests that need them are skipped (as root on Debian they would be installed)."
    exit 0
fi

echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
# Nothing that is installed here is to run by itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -qqy --no-install-recommends $missing >/dev/null
