# SPDX-License-Identifier: Apache-2.0
"""A small internet of network namespaces: regions with an agent each, sites with servers, and a router between them.

    region p0, p1, …   10.1.I.2, behind the router's 10.1.I.1
    site   s0, s1, …   10.2.J.10 and up, behind the router's 10.2.J.1

inside() starts the calling script again in new namespaces (network, mounts, processes). The router is the namespace of
the script, and all processes end with the script, however it ends. Needs root and nftables.
"""
import os
import shutil
import subprocess
import sys

MARK = "VEER_IN_NAMESPACES"
UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
LOSS = """table inet t { chain c { type filter hook prerouting priority 0; numgen random mod 100 < 2 counter drop
}
}
"""


def run(*argv, text=None):
    subprocess.run(argv, input=text, text=True, check=True, stdout=subprocess.DEVNULL)


def why_not():
    """Why namespaces cannot be made here; None when they can be made."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("unshare", "nsenter", "ip", "nft") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    for argv, text in ((["true"], None), (["nft", "-f", "-"], LOSS),
                       (["ip", "link", "add", "x", "type", "veth", "peer", "name", "y"], None)):
        done = subprocess.run([*UNSHARE, *argv], input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return f"this kernel does not let us: {done.stderr.strip() or done.returncode}"
    return None


def inside():
    """Continue in new namespaces; does not return outside of them. Without the necessary rights or tools, print the
    reason and exit with 77."""
    if os.environ.get(MARK) == "1":
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
            f.write("1")
        return
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    os.environ[MARK] = "1"
    os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, *sys.argv])


class Net:
    def __init__(self, regions, sites):
        self.regions, self.sites = regions, sites
        self.cut_off = set()
        for i in range(regions):
            self.join(f"p{i}", f"10.1.{i}.1/24", [f"10.1.{i}.2/24"], f"10.1.{i}.1")
        for j in range(sites):
            self.join(f"s{j}", f"10.2.{j}.1/24", [f"10.2.{j}.{n}/24" for n in range(10, 40)], f"10.2.{j}.1")

    @staticmethod
    def join(name, router, addresses, gateway):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", router, "dev", name)
        run("ip", "link", "set", name, "up")
        run("ip", "-n", name, "-batch", "-", text="".join(f"address add {a} dev eth0\n" for a in addresses) +
            "link set lo up\nlink set eth0 up\nroute add default via " + gateway + "\n")

    @staticmethod
    def within(name, argv):
        return ["nsenter", f"--net=/run/netns/{name}", "--", *argv]

    def lose(self, percent):
        """Drop each packet from and to a region with this probability, independently in each direction."""
        rule = f"numgen random mod 100 < {percent} counter drop"
        run("nft", "-f", "-", text="table inet loss {\n chain c {\n  type filter hook prerouting priority -300;\n"
            f"  iifname \"p*\" {rule}\n }}\n}}\n")
        for i in range(self.regions):
            run(*self.within(f"p{i}", ["nft", "-f", "-"]), text="table inet loss {\n chain c {\n"
                f"  type filter hook input priority -300;\n  iifname eth0 {rule}\n }}\n}}\n")

    def lost(self):
        """Packets lost so far."""
        total = 0
        for prefix in ([], *(self.within(f"p{i}", []) for i in range(self.regions))):
            text = subprocess.run([*prefix, "nft", "list", "table", "inet", "loss"], capture_output=True, text=True, check=True).stdout
            words = text.split()
            total += sum(int(words[n + 1]) for n, word in enumerate(words) if word == "packets")
        return total

    def cut(self, region):
        """Take the agent's link down, so that the agent reaches nothing, not even the control plane."""
        run("ip", "link", "set", f"p{region}", "down")

    def heal(self, region):
        run("ip", "link", "set", f"p{region}", "up")

    def lie(self, region, how, addresses):
        """From now on make these addresses look dead to this agent: `how` is blackhole, reset or redirect (to a closed
        port)."""
        match = f"iifname \"p{region}\" ip daddr {{ {', '.join(addresses)} }}"
        chain, action = {"blackhole": ("filter hook forward priority 0", "drop"),
                         "reset": ("filter hook forward priority 0", "meta l4proto tcp reject with tcp reset"),
                         "redirect": ("nat hook prerouting priority -100", "meta l4proto tcp redirect to :9")}[how]
        run("nft", "-f", "-", text=f"table ip lie{region} {{\n chain c {{\n  type {chain};\n  {match} {action}\n }}\n}}\n")

    @staticmethod
    def truth(region):
        run("nft", "delete", "table", "ip", f"lie{region}")

    @staticmethod
    def blackhole(address):
        """Drop the packets for these addresses from all agents."""
        run("nft", "-f", "-", text="table ip dead {\n set dead { type ipv4_addr; }\n chain c {\n  type filter hook forward priority 1;\n"
            "  ip daddr @dead drop\n }\n}\n" f"add element ip dead dead {{ {address} }}\n")

    @staticmethod
    def unblackhole(address):
        run("nft", "delete", "element", "ip", "dead", "dead", f"{{ {address} }}")
