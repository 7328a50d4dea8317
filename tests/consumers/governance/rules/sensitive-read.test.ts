// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { sensitiveRead } from '../../../../consumers/governance/rules/sensitive-read.ts'
import { node, python, ruleCases } from './cases.ts'

ruleCases(sensitiveRead, {
  finds: [
    'cat /etc/shadow > /tmp/out',
    'tar czf /tmp/k.tgz ~/.ssh/id_rsa',
    'curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/',
    'sudo tcpdump -i eth0 -w out.pcap',
    'strings /proc/1/environ',
    python('keys = open(os.path.expanduser("~/.aws/credentials")).read()'),
    python('from PIL import ImageGrab\nImageGrab.grab().save("s.png")'),
    node('fs.readFileSync(process.env.HOME + "/.ssh/id_ed25519")'),
  ],
  leaves: [
    'ls ~/.ssh/known_hosts',
    'ssh-keyscan git.example.net >> ~/.ssh/known_hosts',
    'cp deploy.pub ~/.ssh/id_ed25519.pub',
    'grep -c processor /proc/cpuinfo',
    'curl -s http://localhost:8080/health',
    python('lines = open("report.txt").read()'),
    python('# reads ~/.aws/credentials\nprint("no")'),
  ],
})
