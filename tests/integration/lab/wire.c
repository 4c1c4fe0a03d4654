/* GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 * SPDX-FileCopyrightText: 2026 The kilonova.compute contributors
 *
 * What busybox can't do on a test guest's network, in a program small enough to be typed in by the guest's agent. It has no
 * library, not even C's.
 *
 *   wire send NIC            put the frame that is read from standard input on the wire
 *   wire sniff NIC           write the beginning of every frame that comes in, one line of hex digits each
 *   wire listen PORT         send every datagram back to whom it came from, and write it
 *   wire ask HEX PORT WORD   send a datagram to the IPv4 address and write what comes back within a second
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/socket.h>
#include <linux/sockios.h>
#include <linux/if.h>
#include <sys/syscall.h>

#define MAX 2048
#define SHOWN 96

static long sys(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return r;
}
#define SYS(n, a, b, c) sys(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static unsigned swap16(unsigned value) { return (value >> 8 | value << 8) & 0xffff; }

static unsigned long number(const char *text, int base)
{
    unsigned long value = 0;
    for (; *text; text++)
        value = value * base + (*text > '9' ? (*text | 32) - 'a' + 10 : *text - '0');
    return value;
}

static long length(const char *text)
{
    long count = 0;
    while (text[count])
        count++;
    return count;
}

static long nic(const char *name, int protocol)
{
    struct ifreq request = {0};
    struct sockaddr_ll address = {0};
    long socket = SYS(SYS_socket, 17, 3, swap16(protocol));
    for (long i = 0; name[i] && i < IFNAMSIZ - 1; i++)
        request.ifr_name[i] = name[i];
    if (SYS(SYS_ioctl, socket, SIOCGIFINDEX, &request))
        return -1;
    address.sll_family = 17;
    address.sll_protocol = swap16(protocol);
    address.sll_ifindex = request.ifr_ifindex;
    return SYS(SYS_bind, socket, &address, sizeof address) ? -1 : socket;
}

static void show(const unsigned char *data, long size)
{
    char line[2 * SHOWN + 1];
    long count = size < SHOWN ? size : SHOWN;
    for (long i = 0; i < 2 * count; i++)
        line[i] = "0123456789abcdef"[i % 2 ? data[i / 2] & 15 : data[i / 2] >> 4];
    line[2 * count] = '\n';
    SYS(SYS_write, 1, line, 2 * count + 1);
}

static int run(int count, char **words)
{
    static unsigned char data[MAX];
    struct sockaddr_in address = {0};
    long socket, size, second[2] = {1, 0}, known = sizeof address;
    if (count == 3 && words[1][0] == 's') {
        int sends = words[1][1] == 'e';
        socket = nic(words[2], sends ? 0 : ETH_P_ALL);
        if (sends)
            return SYS(SYS_write, socket, data, SYS(SYS_read, 0, data, MAX)) < 0;
        while ((size = SYS(SYS_read, socket, data, MAX)) > 0)
            show(data, size);
        return 1;
    }
    address.sin_family = 2;
    socket = SYS(SYS_socket, 2, 2, 0);
    if (count == 3) {
        address.sin_port = swap16(number(words[2], 10));
        if (SYS(SYS_bind, socket, &address, sizeof address))
            return 1;
        while ((size = sys(SYS_recvfrom, socket, (long)data, MAX, 0, (long)&address, (long)&known)) >= 0) {
            SYS(SYS_write, 1, data, size);
            SYS(SYS_write, 1, "\n", 1);
            sys(SYS_sendto, socket, (long)data, size, 0, (long)&address, known);
        }
        return 1;
    }
    if (count != 5)
        return 2;
    address.sin_addr.s_addr = __builtin_bswap32(number(words[2], 16));
    address.sin_port = swap16(number(words[3], 10));
    sys(SYS_setsockopt, socket, 1, 20, (long)second, sizeof second, 0);
    sys(SYS_sendto, socket, (long)words[4], length(words[4]), 0, (long)&address, known);
    size = SYS(SYS_read, socket, data, MAX);
    if (size > 0)
        SYS(SYS_write, 1, data, size);
    return size <= 0;
}

__attribute__((used)) void start(long *stack)
{
    SYS(SYS_exit, run(stack[0], (char **)(stack + 1)), 0, 0);
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
