import {
  addressesSetting,
  choiceSetting,
  countSetting,
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
  jwtIssuer: textSetting('ATOM_JWT_ISSUER', 'atom-dev', 'Issuer that tokens must name'),
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
