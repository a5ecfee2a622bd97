/**
 * What the command line and the environment say. Secrets come from files or
 * the environment only: everybody on the machine can read a command line.
 */
import { readFileSync } from "node:fs";
import { BlockList, isIP } from "node:net";
import { parseArgs } from "node:util";

export const help = `Usage: usage-limits-dashboard [serve] [OPTION...]
       usage-limits-dashboard user-token USER_ID [--hours N] --user-secret-file FILE
       usage-limits-dashboard demo-data [--database-url URL]

serve shows the dashboard, user-token prints the link's token for one user's
own page, demo-data fills an empty database with a made-up application.

  --database-url URL      postgresql://…; else DATABASE_URL, else the PG* variables
  --host ADDRESS          where to listen (127.0.0.1); any other than loopback needs a token
  --port PORT             (4180)
  --token-file FILE       administrators must know this token; or USAGE_DASHBOARD_TOKEN
  --read-only             shows everything and changes nothing
  --public-url URL        the address that browsers use, where a proxy stands in between

Users' own pages, /me (both need a token for the administrators):
  --user-secret-file FILE users come with a JWT (HS256, sub: user id) signed with this
                          secret; or USAGE_DASHBOARD_USER_SECRET
  --user-header NAME      a proxy has authenticated the user and sets this header
  --trusted-proxy ADDRESS from where that header counts, an address or CIDR block;
                          may be repeated (127.0.0.1 and ::1)

  --help, --version
`;

export class UsageError extends Error {}

export interface UserHeader {
	name: string;
	proxies: BlockList;
}

export interface UserTokenRequest {
	userId: string;
	secret: string;
	hours: number;
}

export interface Config {
	command: "serve" | "user-token" | "demo-data";
	databaseUrl: string | undefined;
	host: string;
	port: number;
	token: string | undefined;
	readOnly: boolean;
	publicUrl: URL | undefined;
	userSecret: string | undefined;
	userHeader: UserHeader | undefined;
	/** What user-token is to sign */
	userToken: UserTokenRequest | undefined;
}

/** Whether only this machine can reach an address to listen on. */
export function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Reads the command line; undefined when it asks for help or the version, which `say` has then got. */
export function readConfig(
	argv: string[],
	env: NodeJS.ProcessEnv,
	version: string,
	say: (text: string) => void,
): Config | undefined {
	const { values, positionals } = parse(argv);
	if (values.help) {
		say(help);
		return undefined;
	}
	if (values.version) {
		say(`${version}\n`);
		return undefined;
	}

	const [command = "serve", ...rest] = positionals;
	if (command !== "serve" && command !== "user-token" && command !== "demo-data")
		throw new UsageError(`there is no command "${command}"`);
	if (rest.length > (command === "user-token" ? 1 : 0))
		throw new UsageError(`"${rest.at(-1)}" is one argument too many`);

	const config: Config = {
		command,
		databaseUrl: values["database-url"] ?? env.DATABASE_URL,
		host: values.host ?? "127.0.0.1",
		port: wholeNumber("--port", values.port ?? "4180", 0, 65535),
		token: secret("token", values["token-file"], env.USAGE_DASHBOARD_TOKEN, 16),
		readOnly: values["read-only"] ?? false,
		publicUrl: values["public-url"] === undefined ? undefined : url("--public-url", values["public-url"]),
		userSecret: secret("user secret", values["user-secret-file"], env.USAGE_DASHBOARD_USER_SECRET, 32),
		userHeader: userHeader(values["user-header"], values["trusted-proxy"]),
		userToken: undefined,
	};
	// says nothing of the text itself, which may hold a password
	if (config.databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(config.databaseUrl))
		throw new UsageError("--database-url starts with postgresql://");
	if (command === "user-token") {
		const [userId] = rest;
		const { userSecret: secret } = config;
		if (!secret || !userId) throw new UsageError("user-token needs a user id and --user-secret-file");
		config.userToken = { userId, secret, hours: wholeNumber("--hours", values.hours ?? "24", 1, 24 * 366) };
	}
	if (command === "serve" && !config.token) {
		if (!isLoopback(config.host))
			throw new UsageError(
				`listening on ${config.host} needs --token-file: whoever reaches that address could change limits`,
			);
		if (config.userSecret || config.userHeader)
			throw new UsageError(
				"pages for users need --token-file too: without it every user would be an administrator",
			);
	}
	return config;
}

function parse(argv: string[]) {
	try {
		return parseArgs({
			args: argv,
			allowPositionals: true,
			options: {
				"database-url": { type: "string" },
				host: { type: "string" },
				port: { type: "string" },
				"token-file": { type: "string" },
				"read-only": { type: "boolean" },
				"public-url": { type: "string" },
				"user-secret-file": { type: "string" },
				"user-header": { type: "string" },
				"trusted-proxy": { type: "string", multiple: true },
				hours: { type: "string" },
				help: { type: "boolean", short: "h" },
				version: { type: "boolean" },
			},
		});
	} catch (error) {
		throw new UsageError((error as Error).message);
	}
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
	const value = Number(text);
	if (!/^\d+$/.test(text) || value < min || value > max)
		throw new UsageError(`${option} is a whole number from ${min} to ${max}`);
	return value;
}

function url(option: string, text: string): URL {
	const parsed = URL.canParse(text) ? new URL(text) : undefined;
	if (!parsed || !/^https?:$/.test(parsed.protocol))
		throw new UsageError(`${option} starts with https:// or http://`);
	return parsed;
}

function secret(
	what: string,
	file: string | undefined,
	variable: string | undefined,
	min: number,
): string | undefined {
	let text = variable;
	if (file !== undefined) {
		try {
			text = readFileSync(file, "utf8").trim();
		} catch (error) {
			throw new UsageError(`cannot read the ${what}: ${(error as Error).message}`);
		}
	}
	if (text !== undefined && text.length < min)
		throw new UsageError(`the ${what} needs at least ${min} characters`);
	return text;
}

function userHeader(
	name: string | undefined,
	proxies: string[] = ["127.0.0.1", "::1"],
): UserHeader | undefined {
	if (name === undefined) return undefined;
	if (!/^[A-Za-z0-9-]+$/.test(name)) throw new UsageError(`"${name}" is not the name of a header`);
	const list = new BlockList();
	for (const proxy of proxies) {
		const [address = "", prefix] = proxy.split("/");
		const family = isIP(address) === 6 ? "ipv6" : "ipv4";
		if (!isIP(address)) throw new UsageError(`--trusted-proxy ${proxy} is not an address`);
		if (prefix === undefined) list.addAddress(address, family);
		else
			list.addSubnet(
				address,
				wholeNumber("the length of --trusted-proxy", prefix, 0, family === "ipv6" ? 128 : 32),
				family,
			);
	}
	return { name: name.toLowerCase(), proxies: list };
}
