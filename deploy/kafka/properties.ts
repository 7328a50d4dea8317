export type Ports = { client: number; controller: number }
export type BrokerSettings = Record<string, string | number | boolean>

/**
 * `server.properties` of one broker, which is a controller too (KRaft), on loopback. With three of them a record is on
 * two before it is acknowledged, and a dead broker is noticed after 3 s instead of 9. `more` wins over what stands here.
 */
export function serverProperties(
  index: number,
  ports: readonly Ports[],
  dataFolder: string,
  more: BrokerSettings = {},
): string {
  const { client, controller } = ports[index] as Ports
  const copies = Math.min(3, ports.length)
  const inSync = copies === 3 ? 2 : 1
  const settings: BrokerSettings = {
    'process.roles': 'broker,controller',
    'node.id': index + 1,
    'controller.quorum.voters': ports.map((one, n) => `${n + 1}@127.0.0.1:${one.controller}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${client}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataFolder,
    'auto.create.topics.enable': false,
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'unclean.leader.election.enable': false,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': 0,
    ...(ports.length > 1 ? { 'broker.session.timeout.ms': 3_000, 'broker.heartbeat.interval.ms': 500 } : {}),
    ...more,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
