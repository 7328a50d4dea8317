// Text for people: a finding in it would be about words, not about what runs.
export const PROSE_KEYS = new Set([
  'description',
  'comment',
  'comments',
  'notes',
  'summary',
  'labels',
  'displayName',
  'tags',
])
export const COMMAND_KEYS = new Set([
  'command',
  'commands',
  'cmd',
  'script',
  'run',
  'entrypoint',
  'before_script',
  'after_script',
  'code',
  'jsCode',
  'inline',
])
export const ENV_KEYS = new Set(['env', 'environment', 'env_vars', 'envs'])
export const MANIFEST_KEYS = new Set(['manifest', 'manifests', 'template', 'patch', 'object', 'pod_spec'])
export const URL_KEYS = new Set(['url', 'uri', 'endpoint', 'webhook', 'webhook_url', 'base_url', 'server'])
export const SHELL_MODULES = /(?:^|\.)(?:shell|command|raw|script)$/
