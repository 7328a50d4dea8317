import type { Fact } from '../facts.ts'
import type { Call } from './matching.ts'
import { inCommands, inFields, isOn, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const SOCKETS = /(?:^|[/:=])(?:docker|containerd|crio|cri-dockerd|podman|kubelet)\.sock\b/
const HARMLESS_PATHS =
  /^\/(?:etc\/(?:localtime|timezone|ssl\/certs|pki)|usr\/share\/(?:zoneinfo|ca-certificates))(?:\/|$)/

/** WPK-P3-011: a container sees or uses what belongs to its node. */
export const hostAccess: Rule = {
  id: 'WPK-P3-011',
  version: 2,
  name: 'host namespace or mount',
  severity: 'high',
  about:
    'Process, network and IPC namespaces of the node, its paths and its ports, the socket of the container runtime and a runtime reached without TLS, in manifests and in `docker run`. Volumes of the cluster (`emptyDir`, claims, `configMap`) and the directory of the build are silent.',
  remediation: 'Use a volume of the cluster and a Service instead of what belongs to the node.',
  hygiene: false,
  check: (view) => [...inFields(view, ofField), ...inCommands(view, judge)],
}

function ofField({ name, text, path, kind }: Fact) {
  if (/^host(?:PID|IPC|Network)$/.test(name) && isOn(text))
    return sign('the container is in a namespace of its node', 'high', 'high')
  if (/\/hostPath(?:\/path)?$/.test(path) || (name === 'path' && /\/hostPath\//.test(path))) {
    if (HARMLESS_PATHS.test(text)) return null
    return sign(
      'a path of the node is mounted',
      'high',
      SOCKETS.test(text) || /^\/(?:$|etc|root|proc|var\/(?:lib\/(?:docker|kubelet|containerd|etcd)|run)\b)/.test(text)
        ? 'high'
        : 'medium',
    )
  }
  if (name === 'hostPort' && text !== '0') return sign('a port of the node is used', 'high', 'low')
  if (SOCKETS.test(text) && kind !== 'url') return sign('the socket of the container runtime is used', 'high', 'high')
  return name === 'DOCKER_HOST' && /^tcp:\/\/[^:]{1,100}:2375$/.test(text)
    ? sign('a container runtime is used without TLS', 'high', 'medium')
    : null
}

function judge({ name, args, line, command }: Call) {
  if (command.assignments.some(({ text }) => /^DOCKER_HOST=tcp:\/\/[^:]{1,100}:2375$/.test(text)))
    return sign('a container runtime is used without TLS', 'high', 'medium')
  if (name === 'nsenter' && /-t ?1\b|--target[= ]1\b/.test(line))
    return sign('a namespace of the node is entered', 'high', 'high')
  if (name === 'chroot' && /^\/(?:host|mnt\/host|rootfs)\b/.test(args[0] ?? ''))
    return sign('the file system of the node is entered', 'high', 'high')
  if (name === 'curl' && /--unix-socket \S*(?:docker|containerd)\.sock/.test(line))
    return sign('the socket of the container runtime is used', 'high', 'high')
  if (!/^(?:docker|podman|nerdctl)$/.test(name) || !args.some((text) => /^(?:run|create)$/.test(text))) return null
  if (/--(?:pid|ipc|uts|userns)[= ]host\b/.test(line))
    return sign('the container is in a namespace of its node', 'high', 'high')
  const mounts = args.flatMap((text, index) => {
    const value = /^(?:-v|--volume|--mount)$/.test(args[index - 1] ?? '')
      ? text
      : /^(?:-v|--volume=|--mount=)(.+)$/.exec(text)?.[1]
    return value === undefined ? [] : [/(?:source|src)=([^,]+)/.exec(value)?.[1] ?? value.split(':')[0] ?? '']
  })
  const mounted = mounts.find(
    (path) => SOCKETS.test(path) || /^\/(?:|etc|root|proc|sys|dev|var|boot|home)\/?$/.test(path),
  )
  if (mounted !== undefined)
    return sign(
      SOCKETS.test(mounted) ? 'the socket of the container runtime is used' : 'a path of the node is mounted',
      'high',
      SOCKETS.test(mounted) ? 'medium' : 'high',
    )
  return /--(?:net|network)[= ]host\b/.test(line)
    ? sign('the container is in the network of its node', 'medium', 'low')
    : null
}
