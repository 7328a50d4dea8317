const SECRET_WORD =
  /(?:^|[^a-z])(?:secret|token|passw(?:or)?d|passphrase|pwd|credentials?|api[_.-]?key|access[_.-]?key|private[_.-]?key|secret[_.-]?key|auth[_.-]?key|signing[_.-]?key|encryption[_.-]?key|account[_.-]?key|vault[_.-]?key|authorization)s?(?:$|[^a-z])|(?:password|passwd|secret|token|apikey|accesskey|secretkey|privatekey|vaultkey)s?$/
// A name that ends so holds where or how a secret is kept, not the secret.
const NOT_ITSELF =
  /(?:url|uri|name|namespace|path|file|filename|dir|id|ref|type|version|length|policy|ttl|timeout|enabled|mode|format|env|host|port|endpoint|provider|store|class|mount|role|expiry|expires|count|field|header|arn|stdin)$/

/** True for the name of a variable, header or key whose value is a secret. */
export function isSecretName(name: string): boolean {
  const plain = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
  return SECRET_WORD.test(plain) && !NOT_ITSELF.test(plain)
}

/** True when a text is a reference to a secret (variable, template, Vault path) and not the secret itself. */
export const isReference = (text: string): boolean =>
  /^\s*$|\$[({A-Za-z_]|\{\{|^<[^>]{0,80}>$|^\$\$?|^%[A-Za-z_]+%$|^(?:vault|secret|aws|gcp|azure|op|ssm|env|file|ref|sm|kv)[:/]|^\/|^@|\$ANSIBLE_VAULT/.test(
    text,
  )
