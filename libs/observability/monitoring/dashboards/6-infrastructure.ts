import { dashboard, graph, meanBy, stat } from './panels.ts';

/** What everything stands on: utilisation, saturation and errors of Redis and of the processes. */
export const infrastructure = dashboard({
  uid: 'vortex-infrastructure',
  title: 'Vortex / 6 Redis and Node',
  description: 'Utilisation, saturation and errors of both Redis servers and of every process.',
  rows: [
    {
      title: 'Redis',
      panels: [
        stat({
          title: 'Redis up',
          description: 'The lower of the queue’s and the cache’s.',
          unit: 'short',
          expr: 'min(redis_up{$own})',
          bounds: { doubtful: 0.9, bad: 0.5 },
        }),
        stat({
          title: 'Memory of the queue',
          description: 'RedisMemoryHigh fires at 85 % of maxmemory, or of the machine where there is none.',
          unit: 'bytes',
          expr: 'max(redis_memory_used_bytes{job="redis", instance=~"$instance"})',
        }),
        stat({
          title: 'Append-only file',
          description: 'Its size. It is rewritten when it has doubled.',
          unit: 'bytes',
          expr: 'max(redis_aof_current_size_bytes{job="redis", instance=~"$instance"})',
        }),
        stat({
          title: 'Last append went well',
          description: '0: RedisNotPersisting.',
          unit: 'short',
          expr: 'min(redis_aof_last_write_status{job="redis", instance=~"$instance"})',
          bounds: { doubtful: 0.9, bad: 0.5 },
        }),
        stat({
          title: 'Processes up',
          description: 'Targets that answer, of those Prometheus knows.',
          unit: 'percentunit',
          expr: 'avg(up{$own})',
          bounds: { doubtful: 0.999, bad: 0.9 },
        }),
        stat({
          title: 'Reconnects, last hour',
          description: 'Connections to the queue’s Redis that were lost and came back.',
          unit: 'short',
          expr: 'sum(increase(rag_redis_reconnects_total{$own}[1h]))',
          bounds: { doubtful: 1, bad: 20 },
          decimals: 0,
        }),
        graph({
          title: 'Commands',
          description: 'In a second, of each server.',
          unit: 'ops',
          queries: [
            {
              expr: 'sum by (job) (rate(redis_commands_processed_total{$own}[$__rate_interval]))',
              legend: '{{job}}',
            },
          ],
        }),
        graph({
          title: 'CPU of Redis',
          description: 'Redis runs its commands in one thread: near 1 it is full.',
          unit: 'percentunit',
          queries: [
            {
              expr: 'sum by (job) (rate(redis_cpu_sys_seconds_total{$own}[$__rate_interval]) + rate(redis_cpu_user_seconds_total{$own}[$__rate_interval]))',
              legend: '{{job}}',
            },
          ],
        }),
        graph({
          title: 'Memory',
          description: 'Used, and the limit where there is one.',
          unit: 'bytes',
          queries: [
            { expr: 'sum by (job) (redis_memory_used_bytes{$own})', legend: '{{job}}' },
            { expr: 'sum by (job) (redis_memory_max_bytes{$own}) > 0', legend: '{{job}} limit' },
          ],
        }),
        graph({
          title: 'Mean round trip of scripts',
          description: 'As the processes see it, waits in their client included.',
          unit: 's',
          queries: [meanBy('group', 'rag_redis_command_duration_seconds')],
        }),
        graph({
          title: 'P99 round trip of scripts',
          description: 'By what they are for.',
          unit: 's',
          queries: [
            {
              expr: 'histogram_quantile(0.99, sum by (group, le) (rate(rag_redis_command_duration_seconds_bucket{$own}[$__rate_interval])))',
              legend: '{{group}}',
            },
          ],
        }),
        graph({
          title: 'Depth of lists, seen from outside',
          description: 'By the exporter, without any code of ours: must agree with the pipeline’s dashboard.',
          unit: 'short',
          queries: [
            { expr: 'max by (key) (redis_key_size{job="redis", instance=~"$instance"})', legend: '{{key}}' },
          ],
        }),
        graph({
          title: 'Connections',
          description: 'Clients, and those that wait in a blocking command.',
          unit: 'short',
          queries: [
            { expr: 'sum by (job) (redis_connected_clients{$own})', legend: '{{job}}' },
            { expr: 'sum by (job) (redis_blocked_clients{$own})', legend: '{{job}} blocked' },
          ],
        }),
        graph({
          title: 'Network',
          description: 'In and out.',
          unit: 'Bps',
          queries: [
            {
              expr: 'sum by (job) (rate(redis_net_input_bytes_total{$own}[$__rate_interval]))',
              legend: '{{job}} in',
            },
            {
              expr: 'sum by (job) (rate(redis_net_output_bytes_total{$own}[$__rate_interval]))',
              legend: '{{job}} out',
            },
          ],
        }),
        graph({
          title: 'Keys that went',
          description: 'Evicted and expired. The queue’s server must never evict.',
          unit: 'ops',
          queries: [
            {
              expr: 'sum by (job) (rate(redis_evicted_keys_total{$own}[$__rate_interval]))',
              legend: '{{job}} evicted',
            },
            {
              expr: 'sum by (job) (rate(redis_expired_keys_total{$own}[$__rate_interval]))',
              legend: '{{job}} expired',
            },
          ],
        }),
      ],
    },
    {
      title: 'Processes',
      panels: [
        graph({
          title: 'CPU',
          description: 'Cores that each process uses.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (job, instance) (rate(process_cpu_seconds_total{$own}[$__rate_interval]))',
              legend: '{{job}} {{instance}}',
            },
          ],
        }),
        graph({
          title: 'Resident memory',
          description: 'MemoryNearLimit fires at 90 % of a container’s limit.',
          unit: 'bytes',
          queries: [{ expr: 'process_resident_memory_bytes{$own}', legend: '{{job}} {{instance}}' }],
        }),
        graph({
          title: 'Heap',
          description: 'Used by JavaScript.',
          unit: 'bytes',
          queries: [{ expr: 'nodejs_heap_size_used_bytes{$own}', legend: '{{job}} {{instance}}' }],
        }),
        graph({
          title: 'Event loop, P99 of its lag',
          description: 'EventLoopLag fires at 200 ms.',
          unit: 's',
          queries: [{ expr: 'nodejs_eventloop_lag_p99_seconds{$own}', legend: '{{job}} {{instance}}' }],
        }),
        graph({
          title: 'Garbage collection',
          description: 'Share of the time, by kind.',
          unit: 'percentunit',
          queries: [
            {
              expr: 'sum by (job, kind) (rate(nodejs_gc_duration_seconds_sum{$own}[$__rate_interval]))',
              legend: '{{job}} {{kind}}',
            },
          ],
        }),
        graph({
          title: 'Open files',
          description: 'Descriptors: sockets and files.',
          unit: 'short',
          queries: [{ expr: 'process_open_fds{$own}', legend: '{{job}} {{instance}}' }],
        }),
        graph({
          title: 'Versions',
          description: 'Two at a time: a rolling start, or one that was forgotten.',
          unit: 'short',
          queries: [
            {
              expr: 'count by (version, node) (rag_build_info{$own})',
              legend: 'Vortex {{version}}, Node {{node}}',
            },
          ],
          width: 12,
        }),
        graph({
          title: 'How long a scrape takes',
          description: 'Of each target; slow /metrics stall the process that shows them.',
          unit: 's',
          queries: [{ expr: 'scrape_duration_seconds{$own}', legend: '{{job}} {{instance}}' }],
          width: 12,
        }),
      ],
    },
  ],
});
