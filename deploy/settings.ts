import {
  addressesSetting,
  choiceSetting,
  countSetting,
  listSetting,
  optionalSetting,
  percentSetting,
  portSetting,
  type Settings,
  textSetting,
} from '../platform/settings.ts'

/** Every setting of the services. `env.example` and the reference page are made from this table. */
export const settingDefinitions = {
  home: textSetting(
    'ATOM_HOME',
    '.atom',
    'Folder of everything this installation keeps: database, keys, demo credentials',
  ),
  bind: textSetting('ATOM_BIND', '127.0.0.1', 'Address the services listen on'),
  demo: textSetting(
    'ATOM_DEMO',
    'auto',
    'auto: demo organisations and a read-only visitor when bound to loopback and not in production; on: insist on it; seed: the organisations without the visitor; off: neither',
  ),
  nodeEnv: optionalSetting('NODE_ENV', '', 'production refuses the demo visitor'),
  portMarketplace: portSetting('ATOM_PORT_MARKETPLACE', '8050', 'Port of packages, reviews and keys'),
  portBilling: portSetting('ATOM_PORT_BILLING', '8060', 'Port of usage and billing'),
  portGovernance: portSetting('ATOM_PORT_GOVERNANCE', '8070', 'Port of the analyzer'),
  portPortal: portSetting('ATOM_PORT_PORTAL', '8080', 'Port of the portal page and /analytics'),
  portData: portSetting('ATOM_PORT_DATA', '8090', 'Port of the data service'),
  databaseUrl: optionalSetting(
    'DATABASE_URL',
    '',
    'PostgreSQL 15 or newer to use instead of the embedded one; its user must be able to create roles',
    { secret: true },
  ),
  kafkaBrokers: addressesSetting(
    'KAFKA_BROKERS',
    '',
    'Brokers of Apache Kafka (host:port, separated by commas) to use as the bus instead of the log in the database',
  ),
  jwtIssuer: textSetting('ATOM_JWT_ISSUER', 'atom-dev', 'Issuer that tokens of the built-in development issuer name'),
  devIssuer: choiceSetting(['auto', 'on', 'off'])(
    'ATOM_DEV_ISSUER',
    'auto',
    'auto: the built-in development issuer is off where ATOM_OIDC_ISSUER is set; on: it stays on beside it; off: its tokens are refused',
  ),
  oidcIssuers: listSetting(
    'ATOM_OIDC_ISSUER',
    '',
    'OIDC issuers whose tokens are accepted, to the letter as tokens name them, several separated by commas; https, or on this machine',
  ),
  oidcAudience: listSetting(
    'ATOM_OIDC_AUDIENCE',
    'atom',
    'Audiences, separated by commas, one of which a token of an OIDC issuer must be meant for',
  ),
  oidcClients: listSetting(
    'ATOM_OIDC_CLIENTS',
    '',
    'Clients (`azp` or `client_id` of a token), separated by commas, whose tokens are accepted; default: all of the issuer',
  ),
  oidcOrgClaim: optionalSetting(
    'ATOM_OIDC_ORG_CLAIM',
    '',
    'Claim that says the organisation: its name, or a JSON Pointer to one that lies deeper; default: members are named by organisations',
  ),
  oidcRolesClaim: optionalSetting(
    'ATOM_OIDC_ROLES_CLAIM',
    '',
    'Claim that says the roles, as ATOM_OIDC_ORG_CLAIM; both or neither',
  ),
  oidcAdmin: optionalSetting(
    'ATOM_OIDC_ADMIN',
    '',
    'Subject, or email: and a verified address, of the first OIDC issuer, who is admin of the operator as long as it has none',
  ),
  operatorOrg: textSetting(
    'ATOM_OPERATOR_ORG',
    'atom',
    'Organisation whose people are reviewer, finance, data and admin',
  ),
  publicUrl: optionalSetting(
    'MARKET_API',
    '',
    'Address clients reach the marketplace at, used in the links it answers with and by the SDKs; default: where it listens',
  ),
  portalOrigins: optionalSetting(
    'ATOM_PORTAL_ORIGINS',
    '',
    'Origins, separated by commas, whose pages may call the services from a browser; default: the portal of this machine',
  ),
  portalDist: optionalSetting(
    'ATOM_PORTAL_DIST',
    '',
    'Folder of the built portal page; default: portal/dist of the installation',
  ),
  partnerSharePercent: percentSetting(
    'ATOM_PARTNER_SHARE_PERCENT',
    '80',
    'Share of the net amount that a partner earns',
  ),
  collectionHours: countSetting(
    'ATOM_COLLECTION_HOURS',
    '1',
    'Hours a month still collects late usage before its invoices are issued',
  ),
  trustedRoot: optionalSetting(
    'ATOM_TRUSTED_ROOT',
    '',
    'trusted_root.json of the Sigstore instance whose certificates, logs and timestamps packages may be signed with; default: the public instance, as of this version',
  ),
  vaultAddr: optionalSetting(
    'ATOM_VAULT_ADDR',
    '',
    'Address of Vault or OpenBao whose transit engine keeps the key that verdicts and decisions are signed with; anything but https must be on this machine; default: a file in ATOM_HOME',
  ),
  vaultNamespace: optionalSetting('ATOM_VAULT_NAMESPACE', '', 'Namespace of the key store'),
  vaultCaFile: optionalSetting(
    'ATOM_VAULT_CA_FILE',
    '',
    'PEM file of the authorities that vouch for the key store; default: those of Node',
  ),
  vaultToken: optionalSetting('ATOM_VAULT_TOKEN', '', 'Token for the key store', { secret: true }),
  vaultTokenFile: optionalSetting(
    'ATOM_VAULT_TOKEN_FILE',
    '',
    'File with the token for the key store, read anew when the token is refused; instead of ATOM_VAULT_TOKEN',
  ),
  vaultRoleId: optionalSetting(
    'ATOM_VAULT_ROLE_ID',
    '',
    'Role of an AppRole login at the key store, instead of a token',
  ),
  vaultSecretId: optionalSetting('ATOM_VAULT_SECRET_ID', '', 'Secret of the AppRole login', { secret: true }),
  vaultSecretIdFile: optionalSetting(
    'ATOM_VAULT_SECRET_ID_FILE',
    '',
    'File with the secret of the AppRole login, read at each login; instead of ATOM_VAULT_SECRET_ID',
  ),
  vaultTransitMount: textSetting('ATOM_VAULT_TRANSIT_MOUNT', 'transit', 'Where the transit engine is mounted'),
  vaultKey: textSetting('ATOM_VAULT_KEY', 'atom-marketplace', 'Name of the key in the transit engine'),
  paymentDays: countSetting('ATOM_PAYMENT_DAYS', '30', 'Days after its issue by which an invoice is to be paid'),
  billingDrift: choiceSetting(['on', 'off'])(
    'ATOM_BILLING_DRIFT',
    'on',
    'on: every day the month of one tenant is counted again from the log and compared with its invoice; off: only what finance asks for',
  ),
  reviewTargetHours: countSetting('ATOM_REVIEW_TARGET_HOURS', '24', 'Hours within which a reviewer should decide'),
  webhookKey: optionalSetting(
    'ATOM_WEBHOOK_KEY',
    '',
    'Key that the secrets of webhooks are sealed with: 32 bytes as base64, the same for every process that uses the database; default: one that lies in the database beside them',
    { secret: true },
  ),
  webhookPrivate: choiceSetting(['off', 'on'])(
    'ATOM_WEBHOOK_PRIVATE',
    'off',
    'on, for development: webhooks may be plain http and on this machine or a private network; off: https on the public Internet only',
  ),
  rescansPerMinute: countSetting(
    'ATOM_RESCANS_PER_MINUTE',
    '120',
    'Stored packages that are judged anew in a minute after the rule set or the model changed; 0: none, they wait',
  ),
  stripeKey: optionalSetting(
    'STRIPE_KEY',
    '',
    'Secret key of Stripe with which issued invoices are sent for payment; without it payments run dry: what would be sent is recorded, and /health of billing says so',
    { secret: true },
  ),
  stripeWebhookSecrets: optionalSetting(
    'STRIPE_WEBHOOK_SECRETS',
    '',
    'Secrets of the webhook /billing/webhooks/stripe, separated by commas: all are accepted, so that a new one can be brought in before the old one goes',
    { secret: true },
  ),
  stripeDaysUntilDue: countSetting(
    'STRIPE_DAYS_UNTIL_DUE',
    '30',
    'Days within which an invoice sent through Stripe is to be paid; 0: Stripe collects at once from what the customer has on file',
  ),
  stripeApiBase: optionalSetting(
    'STRIPE_API_BASE',
    '',
    'Address that stands in for Stripe in tests; anything but https must be on this machine',
  ),
  awsMetering: choiceSetting(['off', 'on'])(
    'ATOM_AWS_METERING',
    'off',
    'on: usage of packages that finance has put to AWS Marketplace is sent there, with the credentials that the AWS SDK finds (environment, profile or role); off: what would be sent is recorded',
  ),
  awsRegion: textSetting('ATOM_AWS_REGION', 'us-east-1', 'Region whose AWS Marketplace Metering is used'),
  awsEndpoint: optionalSetting(
    'ATOM_AWS_ENDPOINT',
    '',
    'Address that stands in for AWS in tests; anything but https must be on this machine',
  ),
  logFile: optionalSetting(
    'ATOM_LOG_FILE',
    '',
    'File for log lines, - for standard error; default: atom.log in ATOM_HOME with the demo visitor, else standard error',
  ),
  logLevel: choiceSetting(['debug', 'info', 'warn', 'error'])('ATOM_LOG_LEVEL', 'info', 'debug, info, warn or error'),
} as const

export type AtomSettings = Settings<typeof settingDefinitions>

/** Names that other programs of the project read. */
export const clientSettings = [
  'ATOM_BILLING_API',
  'ATOM_DATA_API',
  'ATOM_TOKEN',
  'ATOM_SIGNING_KEY',
  'ATOM_REQUIRE',
  'ATOM_TOOLS',
  'ATOM_PYTHON_ENV',
  'ATOM_SDK_CREDENTIALS',
  'ATOM_FAULT',
]
