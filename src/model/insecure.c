/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/insecure.h>

#include <netinet/in.h>

#include <bulkhead/base/cleanup.h>

static const struct insecure_port ports[] = {
	{ IPPROTO_TCP, 20, 21, "FTP", false },
	{ IPPROTO_TCP, 23, 23, "telnet", false },
	{ IPPROTO_UDP, 69, 69, "TFTP", false },
	{ IPPROTO_TCP, 79, 79, "finger", false },
	{ IPPROTO_TCP, 80, 80, "HTTP without TLS", false },
	{ IPPROTO_TCP, 110, 110, "POP3 without TLS", false },
	{ IPPROTO_TCP, 111, 111, "ONC RPC", false },
	{ IPPROTO_UDP, 111, 111, "ONC RPC", false },
	{ IPPROTO_TCP, 137, 139, "NetBIOS", false },
	{ IPPROTO_UDP, 137, 139, "NetBIOS", false },
	{ IPPROTO_TCP, 143, 143, "IMAP without TLS", false },
	{ IPPROTO_UDP, 161, 162, "SNMP without encryption", false },
	{ IPPROTO_TCP, 389, 389, "LDAP without TLS", false },
	{ IPPROTO_TCP, 445, 445, "SMB", true },
	{ IPPROTO_TCP, 512, 514, "rexec, rlogin, rsh", false },
	{ IPPROTO_UDP, 514, 514, "syslog without TLS", false },
	{ IPPROTO_TCP, 873, 873, "rsync", false },
	{ IPPROTO_TCP, 1433, 1433, "SQL Server without TLS", true },
	{ IPPROTO_TCP, 1521, 1521, "Oracle without TLS", true },
	{ IPPROTO_TCP, 1883, 1883, "MQTT without TLS", false },
	{ IPPROTO_TCP, 2049, 2049, "NFS", true },
	{ IPPROTO_TCP, 2375, 2375, "Docker's API without TLS", false },
	{ IPPROTO_TCP, 2379, 2379, "etcd without TLS", true },
	{ IPPROTO_TCP, 3306, 3306, "MySQL without TLS", true },
	{ IPPROTO_TCP, 5432, 5432, "PostgreSQL without TLS", true },
	{ IPPROTO_TCP, 5672, 5672, "AMQP without TLS", false },
	{ IPPROTO_TCP, 5900, 5909, "VNC", false },
	{ IPPROTO_TCP, 6000, 6009, "X11", false },
	{ IPPROTO_TCP, 6379, 6379, "Redis without TLS", true },
	{ IPPROTO_TCP, 9042, 9042, "Cassandra without TLS", true },
	{ IPPROTO_TCP, 9092, 9092, "Kafka without TLS", true },
	{ IPPROTO_TCP, 9200, 9200, "Elasticsearch without TLS", true },
	{ IPPROTO_TCP, 11211, 11211, "memcached", true },
	{ IPPROTO_UDP, 11211, 11211, "memcached", true },
	{ IPPROTO_TCP, 27017, 27019, "MongoDB without TLS", true },
};

const struct insecure_port *insecure_port_find(const struct port_spec *p)
{
	if (p->proto == PROTO_ANY || (p->lo == 0 && p->hi == UINT16_MAX))
		return NULL;
	for (size_t i = 0; i < BH_ARRAY_SIZE(ports); i++)
		if (ports[i].proto == p->proto && p->lo <= ports[i].hi && ports[i].lo <= p->hi)
			return &ports[i];
	return NULL;
}
