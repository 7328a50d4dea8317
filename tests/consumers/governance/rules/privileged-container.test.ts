import { expect } from 'chai'
import { privilegedContainer } from '../../../../consumers/governance/rules/privileged-container.ts'
import { apply, findings, packageWith, shell } from '../packages.ts'
import { manifest, pod, ruleCases } from './cases.ts'

const container = (securityContext: unknown) =>
  apply({ kind: 'Pod', spec: { containers: [{ name: 'a', securityContext }] } })
const base = '/spec/handlers/0/config/manifest/spec/containers/0/securityContext'

describe('WPK-P3-010 privileged container', () => {
  const risky: [string, Parameters<typeof packageWith>[0], string, string][] = [
    ['privileged', [container({ privileged: true })], `${base}/privileged`, 'high'],
    [
      'an added capability',
      [container({ capabilities: { add: ['SYS_ADMIN'] } })],
      `${base}/capabilities/add/0`,
      'high',
    ],
    [
      'privilege escalation',
      [container({ allowPrivilegeEscalation: true })],
      `${base}/allowPrivilegeEscalation`,
      'medium',
    ],
    [
      'a Windows host process',
      [container({ windowsOptions: { hostProcess: true } })],
      `${base}/windowsOptions/hostProcess`,
      'high',
    ],
    [
      'docker run --privileged',
      [shell('docker run --rm --privileged tools:1')],
      '/spec/handlers/0/config/command',
      'high',
    ],
    [
      'a manifest in a text',
      [apply('kind: Pod\nspec:\n  containers:\n    - securityContext: {privileged: true}\n')],
      '/spec/handlers/0/config/manifest',
      'high',
    ],
  ]
  for (const [title, handlers, pointer, severity] of risky) {
    it(`finds ${title}`, () => {
      const found = findings(privilegedContainer, packageWith(handlers))
      expect(found.map((violation) => [violation.pointer, violation.severity])).to.deep.equal([[pointer, severity]])
    })
  }

  const sound: [string, Parameters<typeof packageWith>[0]][] = [
    [
      'dropped capabilities with NET_BIND_SERVICE',
      [container({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } })],
    ],
    ['privileged: false', [container({ privileged: false, allowPrivilegeEscalation: false })]],
    ['an ordinary docker run', [shell('docker run --rm tools:1 --privileged-mode-check')]],
    ['a printed word', [shell('echo docker run --privileged')]],
  ]
  for (const [title, handlers] of sound) {
    it(`is silent on ${title}`, () => {
      expect(findings(privilegedContainer, packageWith(handlers))).to.deep.equal([])
    })
  }
})

ruleCases(privilegedContainer, {
  finds: [
    `kubectl run dbg --image=alpine:3.20 --overrides='{"spec":{"containers":[{"name":"d","securityContext":{"privileged":true}}]}}'`,

    pod({}, { securityContext: { privileged: true } }),
    'podman run -d --cap-add=SYS_ADMIN --name agent registry.example.net/agent:2',
    manifest({
      kind: 'DaemonSet',
      spec: {
        template: {
          spec: {
            initContainers: [{ name: 'sysctl', securityContext: { privileged: true } }],
            containers: [{ name: 'a' }],
          },
        },
      },
    }),
    pod({}, { securityContext: { capabilities: { add: ['NET_ADMIN', 'SYS_PTRACE'] } } }),
  ],
  leaves: [
    `kubectl run dbg --image=alpine:3.20 --overrides='{"spec":{"containers":[{"name":"d","securityContext":{"privileged":false}}]}}'`,

    pod({ securityContext: { runAsNonRoot: true } }, { securityContext: { privileged: false } }),
    'podman run -d --cap-drop=ALL --cap-add=NET_BIND_SERVICE --name agent registry.example.net/agent:2',
    manifest({ kind: 'ConfigMap', data: { 'note.txt': 'privileged: true is not allowed here' } }),
    'grep -rn "privileged: true" charts/ && exit 1',
  ],
})
