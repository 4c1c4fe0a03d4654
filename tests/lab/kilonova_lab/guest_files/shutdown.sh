# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
# shellcheck shell=dash

# The guest agent calls this as shutdown(8), and the power button as its handler.

echo "kilonova-guest stopping: $(hostname)" >/dev/console
sync
umount /data 2>/dev/null
case " $* " in
  *' -r '*) exec reboot -f ;;
  *) exec poweroff -f ;;
esac
