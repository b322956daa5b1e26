import { expect, test } from "bun:test"
import { oomKills } from "../../../src/lib/system/oom-kills"

test.each([
  ["its own group, where that counts", { "/sys/fs/cgroup/memory.events": "low 0\noom 3\noom_kill 2\n" }, 2],
  [
    "a group of the first version",
    {
      "/proc/self/cgroup": "4:memory:/docker/0f\n",
      "/proc/self/mountinfo": "32 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 9\n",
      "/sys/fs/cgroup/memory/docker/0f/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    },
    1,
  ],
  ["the machine, where no group does", { "/proc/vmstat": "nr_free_pages 7\noom_kill 4\nswap_ra 0\n" }, 4],
  ["nobody, where the system does not tell", { "/proc/vmstat": "nr_free_pages 7\n" }, undefined],
])("kills for want of memory are those of %s", (_of, files: Readonly<Record<string, string>>, expected) => {
  expect(oomKills((path) => files[path])).toBe(expected)
})
