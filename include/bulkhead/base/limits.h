/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_LIMITS_H
#define BULKHEAD_BASE_LIMITS_H

/* Every growing thing has a cap, every cap has a name, and all of them stand here. */

/* Policy files */
#define BH_POLICY_FILES_MAX      4096
#define BH_POLICY_FILE_BYTES_MAX (16u << 20)
#define BH_POLICY_SET_BYTES_MAX  (64u << 20)
#define BH_YAML_DEPTH_MAX        32
#define BH_YAML_SCALAR_MAX       4096
#define BH_YAML_KEYS_MAX         256        /* in one mapping */
#define BH_YAML_NODES_MAX        (1u << 20) /* in one document */
#define BH_SUGGESTIONS_MAX       100        /* unknown names that get a "did you mean" in one run */
#define BH_SERVICES_MAX          10000
#define BH_GROUPS_MAX            4096
#define BH_GROUP_CIDRS_MAX       65536
#define BH_RULES_PER_SERVICE_MAX 1024 /* each direction */
#define BH_PEERS_PER_RULE_MAX    1024
#define BH_PORTS_PER_RULE_MAX    256
#define BH_LABELS_MAX            256
#define BH_K8S_ITEMS_MAX         10000 /* of one List */
#define BH_K8S_VALUES_MAX        256   /* of one line of matchExpressions */
#define BH_SCOPES_MAX            1024
#define BH_REVIEW_DAYS_MAX       3650
#define BH_GUARDRAILS_MAX        1024
#define BH_GUARDRAIL_DENIES_MAX  256
#define BH_DENY_UNLESS_MAX       256
#define BH_TESTS_MAX             10000
#define BH_TEST_EXPECTS_MAX      10000       /* of one test: document */
#define BH_TEST_NAME_MAX         255         /* bytes */
#define BH_ACCEPTS_MAX           64          /* entries of one accept: */
#define BH_EXPIRES_SOON_DAYS     30          /* before a rule ends, lint tells */
#define BH_LINT_STEPS_MAX        50000000    /* comparisons; what is left is told, not looked at */
#define BH_DIAGS_MAX             1000        /* further mistakes are counted, not kept */
#define BH_JSON_SCHEMA_BYTES_MAX (1u << 20)  /* of what `bulkhead schema` prints */
#define BH_FORMAT_LINES_MAX      (1u << 20)  /* of a file that `bulkhead fmt` reads */
#define BH_FORMAT_BYTES_MAX      (64u << 20) /* and of what it writes */
#define BH_FORMAT_KEY_MAX        1000        /* bytes of a key; a quarter of that with quotes */

/* Compose files that policies are made of */
#define BH_COMPOSE_BYTES_MAX    (4u << 20)
#define BH_COMPOSE_SERVICES_MAX 1000
#define BH_COMPOSE_ENTRIES_MAX  4096        /* of one mapping or list, merged ones included */
#define BH_COMPOSE_STEPS_MAX    (16u << 20) /* entries looked at in all: aliases repeat them */
#define BH_COMPOSE_MERGE_DEPTH  16
#define BH_COMPOSE_TEXT_MAX     1024
#define BH_COMPOSE_PORTS_MAX    128        /* of one service */
#define BH_COMPOSE_POLICY_MAX   (1u << 20) /* bytes of one policy that is written */

/* Host file */
#define BH_AUDIT_FILES_DEFAULT      64 /* files of the audit trail that are kept */
#define BH_AUDIT_FILES_MAX          1024
#define BH_GENERATIONS_DEFAULT      100 /* policy sets that can be rolled back to */
#define BH_GENERATIONS_MAX          1024
#define BH_DENIED_DAYS_DEFAULT      14 /* denied flows are kept for so long, */
#define BH_DENIED_DAYS_MAX          3650
#define BH_DENIED_MEGABYTES_DEFAULT 256 /* and in so much room at most */
#define BH_DENIED_MEGABYTES_MAX     (1u << 20)
#define BH_STARTS_WAIT_S            10 /* that a start waits for its policy */
#define BH_STARTS_WAIT_MAX_S        600
#define BH_ACCOUNT_NAME_MAX         255 /* bytes of a user's or group's name */

/* Outputs of records and signals */
#define BH_OUTPUTS_MAX              16
#define BH_OUTPUT_LINE_MAX          (64u << 10) /* bytes of one record or signal, in any format */
#define BH_OUTPUT_MEGABYTES_DEFAULT 64          /* then a file is rotated */
#define BH_OUTPUT_MEGABYTES_MAX     (1u << 20)
#define BH_OUTPUT_KEEP_DEFAULT      8 /* files that were rotated away */
#define BH_OUTPUT_KEEP_MAX          1000
#define BH_OUTPUT_SYSLOG_MAX        8192 /* bytes of one message */
#define BH_OUTPUT_SYSLOG_VALUE_MAX  512  /* bytes of one value of its structured data */
#define BH_OUTPUT_RETRY_MIN_MS      100  /* after a failure; doubles */
#define BH_OUTPUT_RETRY_MAX_MS      30000
#define BH_OUTPUT_STEADY_MS         5000 /* without a failure: then it is said that it works again */
#define BH_OUTPUT_LOOK_MS           100  /* a file that was moved away is noticed within this */

/* Endpoints */
#define BH_INVENTORY_BYTES_MAX      (256u << 20)
#define BH_ENDPOINTS_MAX            100000
#define BH_ENDPOINT_ADDRS_MAX       256
#define BH_ENDPOINT_PORTS_MAX       1024
#define BH_ENDPOINT_DIGESTS_MAX     64  /* by which registries know its image */
#define BH_IMAGE_NAME_MAX           512 /* bytes, without tag and digest */
#define BH_ENDPOINT_RESOLVERS_MAX   16
#define BH_NAMESPACE_LABELS_MAX     65536 /* of all namespaces of Kubernetes */
#define BH_HOST_ADDRS_MAX           4096
#define BH_SHARED_ADDRS_MAX         (3 * BH_HOST_ADDRS_MAX) /* broadcast, network, anycast */
#define BH_RUNTIME_REPLY_BYTES_MAX  (64u << 20)             /* one answer of the Docker API */
#define BH_RUNTIME_HEADER_BYTES_MAX (64u << 10)
#define BH_RUNTIME_CONNECT_MS       5000
#define BH_RUNTIME_REPLY_MS         15000 /* for one answer, from its question to its end */
#define BH_RUNTIME_PATIENCE_MS      500   /* while somebody waits who may be what it waits for */
#define BH_RUNTIME_BRIEF_MS         5     /* the same, for a question about one container */
#define BH_RUNTIME_LABEL_BYTES_MAX  4096  /* a policy cannot name a longer one */
#define BH_RUNTIME_ONE_MS           250   /* for all questions about one container, or network */
#define BH_RUNTIME_JOINS_MAX        4     /* containers, each in the namespace of the next */
#define BH_RESOLV_CONF_BYTES_MAX    (64u << 10)
#define BH_IMAGES_CACHED_MAX        1024  /* images whose labels are remembered */
#define BH_IMAGES_FRESH_MS          20000 /* then its digests are asked for again */
#define BH_IMAGES_CACHED_BYTES_MAX  (16u << 20)

/* What a runtime says to the CNI plugin */
#define BH_CNI_CONFIG_MAX (2u << 20)  /* bytes on standard input */
#define BH_CNI_ARGS_MAX   (64u << 10) /* bytes of CNI_ARGS */
#define BH_CNI_ID_MAX     255         /* bytes of a container's id, and of a network's name */
#define BH_CNI_PATH_MAX   4096
#define BH_CNI_LABELS_BYTES_MAX                                                                    \
	(48u << 10)                  /* keys and values of one container: one message of ctl */
#define BH_CNI_ATTACHMENTS_MAX 20000 /* of one GC */
#define BH_CNI_WAIT_MAX_S      600

/* Events of an engine */
#define BH_EVENT_BYTES_MAX     (1u << 20)  /* a larger one is passed over, and told */
#define BH_EVENT_SKIP_MAX      (64u << 20) /* an object that does not end within this is junk */
#define BH_EVENTS_QUEUE_MAX    16384       /* of one read; many times what fits it */
#define BH_EVENTS_RETRY_MIN_MS 100         /* before the engine is asked again; doubles */
#define BH_EVENTS_RETRY_MAX_MS 10000
#define BH_EVENTS_ANSWER_MS    15000 /* from the question to the first line of the answer */
#define BH_EVENTS_STEADY_MS    10000 /* a stream that stood so long ends the doubling */
#define BH_ENGINE_ERROR_MAX    4096  /* bytes of an answer that is an error */

/* Early identities */
#define BH_EARLY_MAX             4096 /* containers that are remembered */
#define BH_EARLY_CONTAINER_BYTES (1u << 20)
#define BH_EARLY_NETWORKS_MAX    16         /* of one container */
#define BH_EARLY_ASKING_MAX      4          /* containers asked about at a time */
#define BH_EARLY_TRIES_MAX       5          /* how often one that is being started is asked about */
#define BH_EARLY_IMAGE_NAME_MAX  300        /* bytes */
#define BH_KEPT_BYTES_MAX        (4u << 20) /* of a file that dockerd keeps */
#define BH_EARLY_TOLD_S          60 /* since it was made: what its image was called then still is */
#define BH_EARLY_ASK_MS          2000 /* for one answer; nothing waits for it */

/* Compile */
#define BH_RANGES_MAX          1000000 /* ranges in one address set */
#define BH_RULESET_ENTRIES_MAX 1000000 /* entries of one kind in one ruleset */
#define BH_RULESET_RULES_MAX   8192    /* policy rules that meet in one ruleset */

#define BH_FLOWMAP_ENDS_MAX 4000000 /* pairs of services that one direction of diff and graph has */

#define BH_WORDS_CACHED_MAX 262144 /* names, and ports, of explain --batch that are remembered */

#define BH_GRAPH_BYTES_MAX (256u << 20) /* of what export draws */

/* Reports */
#define BH_REPORT_BYTES_MAX          (256u << 20) /* of one, written or read */
#define BH_REPORT_TEXT_MAX           2048         /* bytes of a sentence, with the NUL */
#define BH_REPORT_FINDINGS_MAX       200 /* of a kind and requirement; what is beyond is counted */
#define BH_REPORT_VERIFIED_MAX       100 /* of a kind that verify finds; the same */
#define BH_REPORT_GROUPS_MAX         400 /* denied pairs and ports of a question, with the most packets */
#define BH_REPORT_NEWEST_MAX         100 /* others, that were seen last; what is beyond is counted */
#define BH_REPORT_CHANGES_MAX        1000 /* of the audit trail, the last ones */
#define BH_REPORT_DAYS_DEFAULT       90   /* without a hit, and of denied flows */
#define BH_REPORT_REVIEW_DAYS        183  /* six months: the longest between two reviews */
#define BH_REPORT_TEST_DAYS          365  /* between two tests of segmentation */
#define BH_REPORT_PROVIDER_TEST_DAYS 183  /* the same for service providers */
#define BH_REPORT_COMPARED_S         300  /* the age of a comparison that says how things stand */
#define BH_REPORT_BEGIN_S            300  /* between what is kept first of one start of a store */
#define BH_REPORT_GAP_S              60   /* a restart in order of a daemon that is no finding */
#define BH_REPORT_REBOOT_S           600  /* the same of a machine, from the one to the next */
#define BH_REPORT_GAPS_MAX           200  /* times without a daemon that are told, the last ones */
#define BH_REPORT_PORTS_MAX          1024 /* of a protocol; whoever lets through more names none */
#define BH_REPORT_MATRIX_MAX         120  /* rows and columns of the matrix that is drawn */
#define BH_REPORT_MAP_MAX            400  /* nodes of a map that is drawn */

/* Kernel table */
#define BH_NFT_COMMENT_MAX      127 /* bytes, without the NUL: what nft(8) takes and prints */
#define BH_NFT_NAME_MAX         127 /* our own bound, below the kernel's 255 */
#define BH_EXPIRES_MAX          INT64_C(7258118400) /* 2200-01-01; kernel timeouts end at 584 years */
#define BH_DENIED_SET_SIZE      4096                /* denied flows remembered per family */
#define BH_DENIED_TIMEOUT_MS    3600000 /* a denied flow logs again after this at the latest */
#define BH_REVOKED_LOG_PER_S    10   /* logged packets of connections that a newer policy ended */
#define BH_RAW_LOG_PER_S        10   /* logged frames that were made by hand */
#define BH_ALLOW_LOG_PER_S      1000 /* logged connections that are allowed, of one namespace */
#define BH_DHCP_PER_S           2    /* requests of a DHCP client that makes its own frames */
#define BH_DHCP_BURST           10
#define BH_DEVICES_MAX          239 /* of one namespace whose frames are held; with the next 255 */
#define BH_DEVICE_QUEUES_MAX    64  /* queues of one device that are kept from AF_XDP */
#define BH_LATE_DEVICES         16  /* names (eth0, ...) that are hooked before they are there */
#define BH_BATCH_BYTES_MAX      (64u << 20)
#define BH_NLSOCK_RCVBUF        (8u << 20)
#define BH_NLSOCK_DRAIN_MAX     65536 /* answers that nobody read, of one socket that was left */
#define BH_READBACK_RULES_MAX   4096
#define BH_READBACK_OBJECTS_MAX 16384
#define BH_FOREIGN_CHAINS_MAX   256 /* base chains of others, of one namespace */
#define BH_PLAN_LINES_MAX       100 /* of one namespace's changes that are shown: a message of ctl */
#define BH_WORKERS_MAX          8   /* processes that work on namespaces at a time */

/* Status */
#define BH_STATUS_MEMBERS_NAMED_MAX  3  /* who shares a namespace: in a sentence */
#define BH_STATUS_MEMBERS_LISTED_MAX 64 /* the same in JSON, where their number stands beside */

/* Verify */
#define BH_VERIFY_NETWORKS_MAX 64    /* networks of one namespace */
#define BH_VERIFY_UNLISTED_MAX 20000 /* namespaces of the host that are looked at */
#define BH_TASKS_MAX           16384 /* threads of one process whose namespace is looked at */

/* Logger */
#define BH_NFLOG_COPY_RANGE      128
#define BH_NFLOG_RCVBUF          (8u << 20)
#define BH_NFLOG_READS_MAX       64    /* buffers read from one namespace before the others' turn */
#define BH_IPV6_HEADERS_MAX      8     /* extension headers of one packet that are followed */
#define BH_FLOWS_MAX             65536 /* flows that one follower keeps in memory, all namespaces */
#define BH_FLOWS_OWN             64 /* and that each namespace may have, if all those are used up */
#define BH_FLOWS_MIN             256        /* the host file's limits: flows, at least, */
#define BH_FLOWS_CEILING         (1u << 20) /* and at most */
#define BH_RECORDS_PER_S_DEFAULT 100        /* of one endpoint; what is beyond is aggregated */
#define BH_RECORDS_PER_S_MAX     100000
#define BH_NAMESPACES_MAX        20000
#define BH_FLOOD_FLOWS_MAX       2048 /* of a flood; three quarters of them are counted */

/* Between controller and logger */
#define BH_CHANNEL_QUEUE_MAX 4096         /* messages that wait until there is room */
#define BH_LOGGER_INQUIRIES  256          /* records that wait for the name of a process */
#define BH_LOGGER_PAST_MAX   65536        /* sums of an earlier run that are remembered */
#define BH_CHANNEL_SNDBUF    (1u << 20)   /* bytes on their way, each way */
#define BH_LOGGER_MESSAGE    (64u << 10)  /* of one message */
#define BH_LOGGER_SITE_MAX   (256u << 20) /* of what the logger is told of a site at once */
#define BH_LOGGER_UID        60923 /* without an account for it: a number of a range nobody gives out */

/* Signals */
#define BH_SIGNAL_KEY_BYTES        16    /* of the host's key for digests of pairs */
#define BH_SIGNAL_PAIRS_MAX        65536 /* pairs that are known to have been denied, in all, */
#define BH_SIGNAL_PAIRS_OWNER_MAX  1024 /* of one service and way: out, in from here, in from afar */
#define BH_SIGNAL_SEEN_S           86400 /* "last seen" of a known pair is this exact */
#define BH_SIGNAL_ENDPOINTS_MAX    4096  /* that are watched at a time */
#define BH_SIGNAL_SOURCES_MAX      1024  /* from afar that are watched for scans, in all, */
#define BH_SIGNAL_SOURCES_EACH_MAX 32    /* and first seen at one endpoint */
#define BH_SIGNAL_DISTINCT_MAX     256   /* ports, and peers, of one source that are told apart */
#define BH_SIGNAL_ENTRIES_EACH_MAX 128   /* (source, scope) pairs that one endpoint remembers */
#define BH_SIGNAL_SCOPES_MAX       16    /* of one end of a record */
#define BH_SIGNAL_SCAN_S           300   /* the window of a scan */
#define BH_SIGNAL_SCAN_MIN         15    /* distinct ports, or peers, within it */
#define BH_SIGNAL_RAW_S            60    /* raw sockets of one endpoint are told so often at most */
#define BH_SIGNAL_SCOPE_S          600   /* one source's attempts into one scope, the same */
#define BH_SIGNAL_TOLD_S           60    /* of one kind, within this: */
#define BH_SIGNAL_TOLD_EACH_MAX    10    /* of one endpoint and way, */
#define BH_SIGNAL_TOLD_MAX         600   /* and of all */

/* The process behind a socket */
#define BH_PROCESS_PIDS_MAX    8192  /* processes of the host looked at for one answer, */
#define BH_PROCESS_FDS_MAX     4096  /* and their descriptors */
#define BH_PROCESS_PER_S       10    /* answers looked for of one namespace, */
#define BH_PROCESS_TOTAL_PER_S 50    /* and of all */
#define BH_PROCESS_EACH_WORK   8192  /* both together within a second, of one namespace, */
#define BH_PROCESS_TOTAL_WORK  32768 /* and of all; what was begun is ended */
#define BH_PROCESS_CACHE_MAX   256   /* answers that are kept, */
#define BH_PROCESS_CACHE_MS    1000  /* for so long */
#define BH_PROCESS_HELD_US     1000  /* and who holds a socket still does so long after a look */
#define BH_PROCESS_SPACES_MAX  1024  /* namespaces whose rate is kept apart */

/* Suggestions */
#define BH_RECORD_LINE_MAX     (64u << 10) /* bytes of one record that is read */
#define BH_SUGGEST_FLOWS_MAX   1024        /* different flows of one run */
#define BH_SUGGEST_REFUSED_MAX 1024        /* that are named; the others are counted */
#define BH_SUGGEST_ALSO_MAX    20     /* flows that an edit lets pass as well: so many are named */
#define BH_SUGGEST_PAIRS_MAX   200000 /* pairs of endpoints that are looked at for these */
#define BH_SUGGEST_TEXT_MAX    (128u << 20) /* bytes of all files that are edited */

/* Files of engines that install edits */
#define BH_ENGINE_FILE_BYTES_MAX (1u << 20)

/* What a runtime hands to its hook */
#define BH_OCI_STATE_BYTES_MAX  (1u << 20)
#define BH_OCI_CONFIG_BYTES_MAX (16u << 20)
#define BH_OCI_DEPTH_MAX        64

/* Daemon */
#define BH_WATCH_FOLDERS_MAX    16 /* in which namespaces come and go */
#define BH_HINTS_MAX            512 /* containers and namespaces asked about by name; more: all are */
#define BH_HINT_ID_MAX          255   /* bytes */
#define BH_WARNINGS_MAX         64    /* that last, of looks at the endpoints; more are one line */
#define BH_FRESH_MAX            1024  /* new namespaces of which it is not known whose they are */
#define BH_ANNOUNCED_MAX        16384 /* containers that their starters told of */
#define BH_ANNOUNCED_BYTES_MAX  (1u << 30) /* of the file that keeps them */
#define BH_PROTECT_WAIT_MAX_MS  600000     /* that a start waits for its policy */
#define BH_PROTECT_LISTEN_MS    2000       /* and then for a logger that is being started again */
#define BH_MONITOR_RCVBUF       (4 << 20) /* notices of commits, a KiB each; if more, numbers tell */
#define BH_WATCH_READS_MAX      64        /* notices read from one source before the others' turn */
#define BH_WATCH_UNREAD_MAX     (1 << 20) /* bytes of notices kept while an engine is waited for */
#define BH_POLICY_WATCHES_MAX   256       /* directories in which policy files change */
#define BH_POLICY_SIGNATURE_MAX (32u << 20) /* bytes of what stat(2) says of policy files */
#define BH_POLICY_LINES_MAX     1000 /* of a refusal that are remembered, so as not to be told again */
#define BH_PARKED_MAX           4096   /* descriptors in systemd's store: FileDescriptorStoreMax= */
#define BH_PARKED_NAMES_MAX     102400 /* bytes: they go into one environment variable, of 128 KiB */
#define BH_PARKED_TOLD_MAX      10     /* of those that are of no use, told one by one */
#define BH_PARKED_CLOSE_USEC    5000000 /* that systemd gets to close them */

/* Changes of the policies */
#define BH_CONFIRM_MIN_S     1 /* apply --confirm */
#define BH_CONFIRM_MAX_S     3600
#define BH_CONFIRM_RETRY_S   30 /* when what was in force before could not be brought back */
#define BH_FOREIGN_NAMED_MAX 64 /* objects of others that one refusal names; the rest are counted */
#define BH_REFUSALS_UID_MAX  8  /* of one user, that get an entry of the trail within the hour; */
#define BH_REFUSALS_MAX      32 /* of all users; what is left out is counted, and told */
#define BH_REFUSALS_WINDOW_S 3600

/* Control socket */
#define BH_CTL_SOCKET          "/run/bulkhead/control.sock"
#define BH_CTL_FRAME_MAX       (64u << 10) /* bytes of one message */
#define BH_CTL_DEPTH_MAX       16          /* of objects and lists in one message */
#define BH_CTL_QUEUE_MAX       (1u << 20)  /* bytes that wait for one client to read */
#define BH_CTL_SNDBUF          (128u << 10)
#define BH_CTL_STALL_MS        10000 /* a client that reads nothing for so long is cut off */
#define BH_CTL_REQUEST_MS      5000  /* a client that is connected asks something within this */
#define BH_CTL_CLIENTS_MAX     64    /* connections in all */
#define BH_CTL_ROOT_RESERVE    8     /* of them for root alone */
#define BH_CTL_RESTRICTED_MAX  24    /* of them on the restricted socket */
#define BH_CTL_CLIENTS_UID_MAX 8     /* of one user, root excepted */
#define BH_CTL_BACKLOG         64    /* connections that wait to be accepted */
#define BH_CTL_REQUESTS_PER_S  20    /* of one user, on average */
#define BH_CTL_REQUESTS_BURST  40
#define BH_CTL_BUCKETS_MAX     256   /* users whose requests are remembered */
#define BH_CTL_ACCEPT_PAUSE_MS 1000  /* when there are no descriptors left */
#define BH_CTL_NOTES_MAX       16384 /* requests that wait for a daemon to be started */
#define BH_NOTES_TOLD_MAX      10    /* of those that are of no use, told one by one */
#define BH_CTL_GRANTS_MAX      1024
#define BH_CTL_OWNERS_MAX      256   /* of one grant */
#define BH_CTL_GROUPS_MAX      65536 /* of one peer: the kernel's NGROUPS_MAX */

/* Metrics */
#define BH_METRICS_SERVICES_MAX 1024 /* with counters of their own; the others share one */
#define BH_METRICS_BYTES_MAX    (1u << 20)
#define BH_METRICS_CLIENTS_MAX  8           /* connections; more wait to be accepted */
#define BH_METRICS_BACKLOG      16          /* so many */
#define BH_METRICS_CLIENT_MS    5000        /* a connection's whole life */
#define BH_METRICS_CLIENT_BYTES (16u << 10) /* memory of one: its request must fit */
#define BH_METRICS_TEXTFILE_MS  15000       /* the text file is this old at most */
/* What is kept on disk */
#define BH_STORE_DIR             "/var/lib/bulkhead"
#define BH_LOGGER_NOTE_S         60 /* between two notes that not all is recorded, or is again */
#define BH_RUN_STALL_S           45 /* between two marks: then it is on the trail */
#define BH_RUN_MARK_S            15 /* how exactly it is known when a daemon ended that said nothing */
#define BH_AUDIT_DIFF_MAX        (64u << 10) /* bytes of the diff in one entry, as it is shown */
#define BH_AUDIT_DETAIL_MAX      1024
#define BH_AUDIT_WORD_MAX        256 /* bytes of a name, a role or an object */
#define BH_AUDIT_OBJECTS_MAX     64  /* named in one entry; the others are counted */
#define BH_AUDIT_LINE_MAX        (256u << 10)
#define BH_AUDIT_FILE_BYTES_MAX  (16u << 20) /* then the next file begins */
#define BH_AUDIT_FILES_WARN      48          /* with so many it is said at each further one */
#define BH_AUDIT_RETENTION_DAYS  400         /* younger files are never removed to make room */
#define BH_AUDIT_LISTED_MAX      1024        /* files that a reader takes for a part of the trail */
#define BH_GENERATIONS_BYTES_MAX (1u << 30)  /* all of them together */
#define BH_GENERATION_BYTES_MAX  (160u << 20) /* one of them: files, names, host file */
#define BH_GENERATION_HEAD_MAX   (64u << 10)  /* its first line */
#define BH_DIFF_EDITS_MAX        2000 /* lines that differ in one file; over that all of it does */
#define BH_DIFF_BYTES_MAX        (64u << 20)

/* The history of flows */
#define BH_FLOWS_BATCH         1024  /* records after which the writer asks for a commit */
#define BH_FLOWS_HELD_MAX      2048  /* records that wait in memory; what is beyond is lost */
#define BH_FLOWS_SIGNALS_MAX   256   /* signals that wait; the same */
#define BH_FLOWS_ACCOUNTS_MAX  65536 /* sums of an endpoint and direction; a sixteenth is spare */
#define BH_FLOWS_CACHE_MAX     32768 /* flows, and texts, that the writer knows the number of */
#define BH_FLOWS_RETRY_MIN_MS  1000  /* before a disk that failed is tried again; doubles */
#define BH_FLOWS_RETRY_MAX_MS  60000
#define BH_FLOWS_STEADY_MS     5000 /* without a failure: then it is said that it works again */
#define BH_FLOWS_TEND_MAX      2000 /* rows that one piece of retention removes, or twice what came */
#define BH_FLOWS_VACUUM_PAGES  256         /* pages that one piece gives back */
#define BH_FLOWS_WAL_BYTES_MAX (16u << 20) /* of what DENIED_MEGABYTES allows, a quarter at most */
#define BH_FLOWS_ASIDE_MAX     2           /* damaged files that stay beside */
#define BH_FLOWS_READ_MAX      (1u << 26)  /* records, flows or texts that one question looks at */
#define BH_FLOWS_TEXTS_MAX     (64u << 20) /* bytes of them in a reader's memory */
#define BH_FLOWS_GROUPS_MAX    2000000
#define BH_FLOWS_BY_MAX        8   /* fields of one grouping */
#define BH_FLOWS_FILTER_MAX    256 /* alternatives of one kind */
#define BH_FLOWS_ID_PREFIX_MIN 4   /* bytes of the id of an endpoint that name it */

/* Probing */
#define BH_PROBE_CELLS_MAX    (1u << 20) /* packets of one run */
#define BH_PROBE_PORTS_MAX    512        /* of one direction of one policy that are asked */
#define BH_PROBE_NETWORKS_MAX 256        /* outside that policies name, exceptions among them */
#define BH_PROBE_SINGLES_MAX  64         /* addresses beside these that rules come to: resolvers */
#define BH_PROBE_ASKERS_MAX   (1u << 22) /* of one network, or address of it, by an endpoint; all */
#define BH_PROBE_PORT_FIRST   61000      /* beyond what systems give out by themselves */
#define BH_PROBE_PORT_LAST    64999 /* of a raw packet: the ports are even, these the next one */
#define BH_PROBE_RATE         20000 /* packets a second without --rate */
#define BH_PROBE_RATE_MAX     1000000
#define BH_PROBE_PACKET_MAX   128 /* bytes of a packet of it, and of what it brings about */

/* What policy rules let pass, in the same file */
#define BH_RULE_SUMS_MAX     65536 /* policy rules that are kept; further ones are left out, and told */
#define BH_RULE_READINGS_MAX 262144  /* counters of all namespaces; the same */
#define BH_RULE_ENDED_MAX    16384   /* namespaces that ended, and would be known again */
#define BH_RULES_LOOK_S      10      /* between two looks at the counters of one namespace */
#define BH_RULES_WRITE_S     60      /* how long a rule is watched is written so exactly */
#define BH_RULES_ABSENT_S    604800  /* in no namespace for longer: it was not in force meanwhile */
#define BH_RULES_READING_S   2592000 /* a namespace that was not read for so long has gone */
#define BH_RULES_KEPT_S      34560000 /* 400 days: a rule that was in no namespace is forgotten */

#endif
