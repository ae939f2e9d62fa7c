/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_TESTS_UNIT_RUNTIME_DOCUMENTS_H
#define BULKHEAD_TESTS_UNIT_RUNTIME_DOCUMENTS_H

/*
 * Answers of Docker 20.10.24 and Podman 4.3.1, recorded and cut down to what is read and some of
 * what stands around it.
 */

/* --label app=one --label tier=back, of an image with app=baked and tier=back */
static const char docker_one[] =
	"{ \"Id\": "
	"\"46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d\", "
	"\"Created\": \"2026-11-23T22:01:09.110313258Z\", \"State\": { \"Status\": "
	"\"running\", \"Running\": true, \"Paused\": false, \"Restarting\": false, \"Pid\""
	": 14136, \"ExitCode\": 0 }, \"Image\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"ResolvConfPath\": "
	"\"/var/lib/docker/containers/"
	"46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d/resolv.conf\""
	", \"Name\": \"/one\", \"RestartCount\": 0, \"HostConfig\": { \"NetworkMode\": "
	"\"default\", \"CapAdd\": null, \"CapDrop\": null, \"Dns\": [], \"Privileged\""
	": false, \"UsernsMode\": \"\", \"Runtime\": \"runc\" }, \"Config\": { \"Hostname\": "
	"\"46595034ab72\", \"User\": \"\", \"Image\": \"bb:1\", \"Labels\": { \"app\": \"one\", "
	"\"tier\": \"back\" } }, \"NetworkSettings\": { \"SandboxID\": "
	"\"eaa596a623873888812a29d283041faeb324310d199c31be21766c522f312d13\", "
	"\"Ports\": { \"8080/tcp\": null }, \"SandboxKey\": "
	"\"/var/run/docker/netns/eaa596a62387\", \"Networks\": { \"bridge\": { "
	"\"IPAMConfig\": null, \"Aliases\": null, \"NetworkID\": \"04122e8e5708\", "
	"\"Gateway\": \"172.17.0.1\", \"IPAddress\": \"172.17.0.2\", \"IPPrefixLen\": 16, "
	"\"IPv6Gateway\": \"\", \"GlobalIPv6Address\": \"\", \"GlobalIPv6PrefixLen\": 0, "
	"\"MacAddress\": \"02:42:ac:11:00:02\" } } } }";

/* on two networks, one of them with IPv6 */
static const char docker_two[] =
	"{ \"Id\": "
	"\"32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10\", "
	"\"Created\": \"2026-11-23T22:01:09.358319228Z\", \"State\": { \"Status\": "
	"\"running\", \"Running\": true, \"Paused\": false, \"Restarting\": false, \"Pid\""
	": 14203, \"ExitCode\": 0 }, \"Image\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"ResolvConfPath\": "
	"\"/var/lib/docker/containers/"
	"32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10/resolv.conf\""
	", \"Name\": \"/two\", \"RestartCount\": 0, \"HostConfig\": { \"NetworkMode\": "
	"\"usr\", \"CapAdd\": null, \"CapDrop\": null, \"Dns\": [], \"Privileged\": false, "
	"\"UsernsMode\": \"\", \"Runtime\": \"runc\" }, \"Config\": { \"Hostname\": "
	"\"32d3c7cda020\", \"User\": \"\", \"Image\": \"bb:1\", \"Labels\": { \"app\": \"baked\""
	", \"com.docker.compose.project\": \"shop\", \"com.docker.compose.service\": "
	"\"two\", \"tier\": \"back\" } }, \"NetworkSettings\": { \"SandboxID\": "
	"\"97f0a053a1004990788e405c351863e87b89593149a93d81e1ecc3c0f8036a2c\", "
	"\"Ports\": { \"8080/tcp\": null }, \"SandboxKey\": "
	"\"/var/run/docker/netns/97f0a053a100\", \"Networks\": { \"usr\": { "
	"\"IPAMConfig\": null, \"Aliases\": [ \"32d3c7cda020\" ], \"NetworkID\": "
	"\"eaeca95034fb\", \"Gateway\": \"10.99.0.1\", \"IPAddress\": \"10.99.0.2\", "
	"\"IPPrefixLen\": 24, \"IPv6Gateway\": \"\", \"GlobalIPv6Address\": \"\", "
	"\"GlobalIPv6PrefixLen\": 0, \"MacAddress\": \"02:42:0a:63:00:02\" }, \"usr6\""
	": { \"IPAMConfig\": {}, \"Aliases\": [ \"32d3c7cda020\" ], \"NetworkID\": "
	"\"8f077a24f252\", \"Gateway\": \"10.98.0.1\", \"IPAddress\": \"10.98.0.2\", "
	"\"IPPrefixLen\": 24, \"IPv6Gateway\": \"fd98::1\", \"GlobalIPv6Address\": "
	"\"fd98::2\", \"GlobalIPv6PrefixLen\": 64, \"MacAddress\": \"02:42:0a:62:00:02\""
	" } } } }";

static const char docker_host[] =
	"{ \"Id\": "
	"\"a07a16ebb2ee65da8f5eceefa5f7ecd162e3c272065c7bb6de5737cb3a0f9a65\", "
	"\"Created\": \"2026-11-23T22:01:09.781377988Z\", \"State\": { \"Status\": "
	"\"running\", \"Running\": true, \"Paused\": false, \"Restarting\": false, \"Pid\""
	": 14318, \"ExitCode\": 0 }, \"Image\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"ResolvConfPath\": "
	"\"/var/lib/docker/containers/"
	"a07a16ebb2ee65da8f5eceefa5f7ecd162e3c272065c7bb6de5737cb3a0f9a65/resolv.conf\""
	", \"Name\": \"/hostnet\", \"RestartCount\": 0, \"HostConfig\": { \"NetworkMode\": "
	"\"host\", \"CapAdd\": null, \"CapDrop\": null, \"Dns\": [], \"Privileged\""
	": false, \"UsernsMode\": \"\", \"Runtime\": \"runc\" }, \"Config\": { \"Hostname\": "
	"\"vm\", \"User\": \"\", \"Image\": \"bb:1\", \"Labels\": { \"app\": \"baked\", \"tier\": "
	"\"back\" } }, \"NetworkSettings\": { \"SandboxID\": "
	"\"89ce9f9eb9b6827868bc4430e97967ce441d06c93af5f5181e964af67e0c8d5d\", "
	"\"Ports\": {}, \"SandboxKey\": \"/var/run/docker/netns/default\", \"Networks\""
	": { \"host\": { \"IPAMConfig\": null, \"Aliases\": null, \"NetworkID\": "
	"\"3c361ff3c11e\", \"Gateway\": \"\", \"IPAddress\": \"\", \"IPPrefixLen\": 0, "
	"\"IPv6Gateway\": \"\", \"GlobalIPv6Address\": \"\", \"GlobalIPv6PrefixLen\": 0, "
	"\"MacAddress\": \"\" } } } }";

/* --network container:two */
static const char docker_joined[] =
	"{ \"Id\": "
	"\"3f38af30b362e1db48db36a8886806c790d712a3bc1c9824aa19f44c3ee961a6\", "
	"\"Created\": \"2026-11-23T22:01:10.721752131Z\", \"State\": { \"Status\": "
	"\"running\", \"Running\": true, \"Paused\": false, \"Restarting\": false, \"Pid\""
	": 14570, \"ExitCode\": 0 }, \"Image\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"ResolvConfPath\": "
	"\"/var/lib/docker/containers/"
	"32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10/resolv.conf\""
	", \"Name\": \"/share\", \"RestartCount\": 0, \"HostConfig\": { \"NetworkMode\": "
	"\"container:32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10\""
	", \"CapAdd\": null, \"CapDrop\": null, \"Dns\": [], \"Privileged\": false, "
	"\"UsernsMode\": \"\", \"Runtime\": \"runc\" }, \"Config\": { \"Hostname\": "
	"\"32d3c7cda020\", \"User\": \"\", \"Image\": \"bb:1\", \"Labels\": { \"app\": \"baked\""
	", \"tier\": \"back\" } }, \"NetworkSettings\": { \"SandboxID\": \"\", \"Ports\""
	": {}, \"SandboxKey\": \"\", \"Networks\": {} } }";

static const char docker_net_admin[] =
	"{ \"Id\": "
	"\"9ba100aad7fc6d0d9a7695a84c23155dcebe58d4f9ec4f9a0105800f8a01ac05\", "
	"\"Created\": \"2026-11-23T22:01:10.256334727Z\", \"State\": { \"Status\": "
	"\"running\", \"Running\": true, \"Paused\": false, \"Restarting\": false, \"Pid\""
	": 14441, \"ExitCode\": 0 }, \"Image\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"ResolvConfPath\": "
	"\"/var/lib/docker/containers/"
	"9ba100aad7fc6d0d9a7695a84c23155dcebe58d4f9ec4f9a0105800f8a01ac05/resolv.conf\""
	", \"Name\": \"/nadm\", \"RestartCount\": 0, \"HostConfig\": { \"NetworkMode\": "
	"\"default\", \"CapAdd\": [ \"CAP_NET_ADMIN\" ], \"CapDrop\": null, \"Dns\": [], "
	"\"Privileged\": false, \"UsernsMode\": \"\", \"Runtime\": \"runc\" }, \"Config\": { "
	"\"Hostname\": \"9ba100aad7fc\", \"User\": \"\", \"Image\": \"bb:1\", \"Labels\": { "
	"\"app\": \"baked\", \"tier\": \"back\" } }, \"NetworkSettings\": { \"SandboxID\": "
	"\"78b7942e5fc018df483b7569a84192b89076cfabb8bf77a2fa5ef6c9af3c78ee\", "
	"\"Ports\": { \"8080/tcp\": null }, \"SandboxKey\": "
	"\"/var/run/docker/netns/78b7942e5fc0\", \"Networks\": { \"bridge\": { "
	"\"IPAMConfig\": null, \"Aliases\": null, \"NetworkID\": \"04122e8e5708\", "
	"\"Gateway\": \"172.17.0.1\", \"IPAddress\": \"172.17.0.3\", \"IPPrefixLen\": 16, "
	"\"IPv6Gateway\": \"\", \"GlobalIPv6Address\": \"\", \"GlobalIPv6PrefixLen\": 0, "
	"\"MacAddress\": \"02:42:ac:11:00:03\" } } } }";

/* --label app=one */
static const char podman_one[] =
	"{ \"Id\": "
	"\"f23507f942287307fc8c50713c3b2605bbe2230a0da4a5cf4a7278936aa0c7b5\", "
	"\"Created\": \"2026-11-23T22:05:10.046239118Z\", \"State\": { \"Status\": "
	"\"running\", \"Running\": true, \"Paused\": false, \"Restarting\": false, \"Pid\""
	": 20076, \"ExitCode\": 0 }, \"Image\": "
	"\"sha256:fb56b05ff670ec092c33fbf5a15c377208632cd8506154de04844ab737d0bf1f\""
	", \"ResolvConfPath\": "
	"\"/run/pod/vfs-containers/"
	"f23507f942287307fc8c50713c3b2605bbe2230a0da4a5cf4a7278936aa0c7b5/userdata/resolv.conf\""
	", \"Name\": \"/pone\", \"RestartCount\": 0, \"HostConfig\": { \"NetworkMode\": "
	"\"bridge\", \"CapAdd\": [], \"CapDrop\": [ \"AUDIT_WRITE\", \"MKNOD\", \"NET_RAW\""
	" ], \"Dns\": [], \"Privileged\": false, \"UsernsMode\": \"\", \"Runtime\": \"oci\""
	" }, \"Config\": { \"Hostname\": \"f23507f94228\", \"User\": \"\", \"Image\": "
	"\"localhost/bb:1\", \"Labels\": { \"app\": \"one\", \"tier\": \"back\" } }, "
	"\"NetworkSettings\": { \"SandboxID\": \"\", \"Ports\": {}, \"SandboxKey\": "
	"\"/run/netns/netns-2aa50b5e-4e23-1b8d-6d9d-b08dbb24bfd8\", \"Networks\": { "
	"\"podman\": { \"IPAMConfig\": null, \"Aliases\": [ \"f23507f94228\" ], "
	"\"NetworkID\": \"podman\", \"Gateway\": \"10.88.0.1\", \"IPAddress\": \"10.88.0.2\""
	", \"IPPrefixLen\": 16, \"IPv6Gateway\": \"\", \"GlobalIPv6Address\": \"\", "
	"\"GlobalIPv6PrefixLen\": 0, \"MacAddress\": \"aa:77:bb:59:26:cd\" } } } }";

static const char image_docker[] =
	"{ \"Id\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"RepoTags\": [ \"bb:1\" ], \"ContainerConfig\": { \"Labels\": null }, "
	"\"Config\": { \"User\": \"\", \"ExposedPorts\": { \"8080/tcp\": {} }, \"Labels\": { "
	"\"app\": \"baked\", \"tier\": \"back\" } }, \"Architecture\": \"amd64\", \"Os\": "
	"\"linux\" }";

static const char image_podman[] =
	"{ \"Id\": "
	"\"sha256:fb56b05ff670ec092c33fbf5a15c377208632cd8506154de04844ab737d0bf1f\""
	", \"RepoTags\": [ \"localhost/bb:1\" ], \"ContainerConfig\": { \"Labels\""
	": null }, \"Config\": { \"User\": \"\", \"ExposedPorts\": null, \"Labels\": { "
	"\"app\": \"baked\", \"tier\": \"back\" } }, \"Architecture\": \"amd64\", \"Os\": "
	"\"linux\" }";

static const char docker_list[] =
	"[ { \"Id\": "
	"\"32d3c7cda020e90a2af50758760f1f71e2c294be07366df9b17d6bf94ac6ec10\", "
	"\"Names\": [ \"/two\" ], \"Image\": \"bb:1\", \"ImageID\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"State\": \"running\", \"Labels\": { \"app\": \"baked\", "
	"\"com.docker.compose.project\": \"shop\", \"com.docker.compose.service\": "
	"\"two\", \"tier\": \"back\" }, \"HostConfig\": { \"NetworkMode\": \"usr\" } }, { "
	"\"Id\": \"46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d\""
	", \"Names\": [ \"/one\" ], \"Image\": \"bb:1\", \"ImageID\": "
	"\"sha256:25e77d8e9d682df7d4f808910e4fd5c59f470b38d33e106dd57e12ee30c733ff\""
	", \"State\": \"running\", \"Labels\": { \"app\": \"one\", \"tier\": \"back\" }, "
	"\"HostConfig\": { \"NetworkMode\": \"default\" } } ]";

#endif
