// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { destructiveAction } from '../../../../consumers/governance/rules/destructive-action.ts'
import { node, python, ruleCases } from './cases.ts'

ruleCases(destructiveAction, {
  finds: [
    'find /var/lib/postgresql -type f -exec shred -u {} +',
    'rm -rf /var/lib/mysql/shop',
    'find /var/backups -type f -delete',

    'rm -rf / --no-preserve-root',
    'sudo rm -rf /etc',
    'dd if=/dev/zero of=/dev/sda bs=1M',
    'mkfs.ext4 /dev/nvme0n1',
    'psql -c "DROP DATABASE shop"',
    'kubectl delete pods --all --all-namespaces',
    'kubectl delete namespace shop',
    'terraform destroy -auto-approve',
    python('import shutil\nshutil.rmtree("/")'),
    node('fs.rmSync(os.homedir(), { recursive: true })'),
  ],
  leaves: [
    'find ./build -type f -exec rm {} +',
    'rm -rf /var/lib/apt/lists/*',
    'find /var/backups -type f -mtime +30 -delete',

    'rm -rf ./build',
    'rm -rf /tmp/work',
    'kubectl delete pod web-0',
    'dd if=/dev/zero of=./disk.img bs=1M count=10',
    'psql -c "SELECT 1"',
    'terraform plan -destroy',
    'echo "rm -rf /"',
    python('shutil.rmtree("build")'),
  ],
})
