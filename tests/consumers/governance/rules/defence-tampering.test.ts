// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { defenceTampering } from '../../../../consumers/governance/rules/defence-tampering.ts'
import { config, python, ruleCases } from './cases.ts'

ruleCases(defenceTampering, {
  finds: [
    'setenforce 0',
    'systemctl stop auditd',
    'history -c',
    'export HISTFILE=/dev/null',
    'rm -rf /var/log/*',
    'chmod u+s /usr/bin/find',
    'iptables -F',
    config({ module: 'lineinfile', args: { SELINUX: 'disabled' } }),
    python('subprocess.run("Set-MpPreference -DisableRealtimeMonitoring 1")'),
  ],
  leaves: [
    'logrotate -f /etc/logrotate.conf',
    'systemctl restart nginx',
    'iptables -A INPUT -p tcp --dport 80 -j ACCEPT',
    'chmod 755 build.sh',
    'rm -f /var/log/app/old.log.1',
    'getenforce',
    'cat /var/log/syslog | tail -5',
  ],
})
