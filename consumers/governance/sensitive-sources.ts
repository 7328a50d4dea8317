import { isSecretName } from './secret-names.ts'

/** Files and addresses that hold credentials or accounts of a machine. */
export const SENSITIVE_PATH =
  /\/etc\/(?:passwd|shadow|sudoers|kubernetes\/)|(?:^|[/\\~"'\s=@])\.(?:ssh[/\\](?!known_hosts|config\b)|aws[/\\]|azure\/|gnupg\/|kube\/config|docker\/config\.json|netrc|npmrc|pypirc|git-credentials|pgpass|bash_history|config\/gcloud)|(?:^|[/~])\.(?:ssh|aws|gnupg|azure|kube)\/?$|id_(?:rsa|ed25519|ecdsa|dsa)\b(?!\.pub)|\/var\/run\/secrets\/kubernetes\.io|\/proc\/(?:self|\d{1,7}|\*)\/environ|\/run\/secrets\/|169\.254\.169\.254|metadata\.google\.internal|kubeconfig\b|\.tfstate\b|wallet\.dat|Login Data\b|\.pem\b|vault-token/

/** The name of the first secret variable in a text (`$API_TOKEN`, `${DB_PASSWORD}`, `${{ secrets.X }}`), or null. */
export function secretVariable(text: string): string | null {
  if (/\$\{\{\s{0,4}secrets[.[]/.test(text)) return 'secrets'
  for (const [, braced, plain] of text.matchAll(/\$(?:\{([A-Za-z_]\w{0,80})|([A-Za-z_]\w{0,80}))/g)) {
    const name = braced ?? plain ?? ''
    if (isSecretName(name)) return name
  }
  return null
}
