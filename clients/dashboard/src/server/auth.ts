/**
 * Who asks. An administrator knows the token (or, where there is none, sits at
 * this machine); a user has a signed token of his own, or comes through a proxy
 * that has authenticated him, and sees his own page only.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Config, UserTokenRequest } from "./config";

export type Principal = { role: "admin" } | { role: "user"; userId: string };

interface Session {
	role: "admin" | "user";
	userId?: string | undefined;
	/** Seconds since 1970 */
	exp: number;
}

const sessionSeconds = 12 * 3600;

/** Compares without telling by the time taken where two texts differ, or in length. */
export function sameSecret(given: string, expected: string): boolean {
	const digest = (text: string) => createHash("sha256").update(text).digest();
	return timingSafeEqual(digest(given), digest(expected));
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

function decode(text: string): unknown {
	try {
		return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
	} catch {
		return undefined;
	}
}

const sign = (text: string, key: string | Buffer) =>
	createHmac("sha256", key).update(text).digest("base64url");

/** A JSON Web Token, HS256 (RFC 7519), for one user's own page. */
export function signUserToken({ userId, secret, hours }: UserTokenRequest, now = Date.now()): string {
	const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: userId, exp: Math.floor(now / 1000) + hours * 3600 })}`;
	return `${body}.${sign(body, secret)}`;
}

/** The user and the expiry of a token of signUserToken's form; undefined when it is not valid now. */
export function verifyUserToken(
	token: string,
	secret: string,
	now = Date.now(),
): { userId: string; exp: number } | undefined {
	const [header, payload, signature, ...rest] = token.split(".");
	if (!header || !payload || !signature || rest.length > 0) return undefined;
	if (!sameSecret(signature, sign(`${header}.${payload}`, secret))) return undefined;
	const { alg } = (decode(header) ?? {}) as { alg?: unknown };
	const { sub, exp, nbf } = (decode(payload) ?? {}) as { sub?: unknown; exp?: unknown; nbf?: unknown };
	if (alg !== "HS256" || !isUserId(sub) || typeof exp !== "number" || exp * 1000 <= now) return undefined;
	if (nbf !== undefined && !(typeof nbf === "number" && nbf * 1000 <= now)) return undefined;
	return { userId: sub, exp };
}

export function isUserId(value: unknown): value is string {
	return (
		typeof value === "string" && value.length > 0 && Buffer.byteLength(value) <= 255 && !value.includes("\0")
	);
}

export class Authenticator {
	/** Sessions end with the process. */
	private readonly key = randomBytes(32);
	private readonly cookieName: string;
	private readonly secure: boolean;

	constructor(private readonly config: Config) {
		this.secure = config.publicUrl?.protocol === "https:";
		// a prefix that makes browsers insist on Secure, Path=/ and no Domain
		this.cookieName = `${this.secure ? "__Host-" : ""}usage_dashboard`;
	}

	/** How somebody who is nobody yet can become somebody. */
	get needsToken(): boolean {
		return this.config.token !== undefined;
	}

	/** `peer` is the address at the other end of the connection. */
	identify(headers: Headers, peer: string | undefined): Principal | undefined {
		const bearer = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
		if (bearer !== undefined) return this.fromToken(bearer)?.principal;

		const session = this.readCookie(headers.get("cookie") ?? "");
		if (session?.role === "admin") return { role: "admin" };
		if (session?.userId !== undefined) return { role: "user", userId: session.userId };

		const fromProxy = this.fromProxy(headers, peer);
		if (fromProxy) return fromProxy;
		return this.config.token === undefined ? { role: "admin" } : undefined;
	}

	/** The cookie for whoever has this token, and who that is; undefined when it is wrong. */
	login(token: string): { principal: Principal; cookie: string } | undefined {
		const known = this.fromToken(token);
		if (!known) return undefined;
		const { principal } = known;
		const exp = Math.min(known.exp, Math.floor(Date.now() / 1000) + sessionSeconds);
		const session: Session = {
			role: principal.role,
			userId: principal.role === "user" ? principal.userId : undefined,
			exp,
		};
		const body = encode(session);
		return { principal, cookie: this.cookie(`${body}.${sign(body, this.key)}`, sessionSeconds) };
	}

	logout(): string {
		return this.cookie("", 0);
	}

	private fromToken(token: string): { principal: Principal; exp: number } | undefined {
		const { token: adminToken, userSecret } = this.config;
		if (adminToken !== undefined && sameSecret(token, adminToken))
			return { principal: { role: "admin" }, exp: Infinity };
		const user = userSecret === undefined ? undefined : verifyUserToken(token, userSecret);
		return user && { principal: { role: "user", userId: user.userId }, exp: user.exp };
	}

	private fromProxy(headers: Headers, peer: string | undefined): Principal | undefined {
		const trust = this.config.userHeader;
		if (!trust || peer === undefined) return undefined;
		const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(peer)?.[1];
		const address = mapped ?? peer;
		if (!trust.proxies.check(address, address.includes(":") ? "ipv6" : "ipv4")) return undefined;
		const userId = headers.get(trust.name);
		return isUserId(userId) ? { role: "user", userId } : undefined;
	}

	private readCookie(header: string): Session | undefined {
		const value = header
			.split(/; */)
			.find((pair) => pair.startsWith(`${this.cookieName}=`))
			?.slice(this.cookieName.length + 1);
		const [body, signature] = value?.split(".") ?? [];
		if (!body || !signature || !sameSecret(signature, sign(body, this.key))) return undefined;
		const session = decode(body) as Session | undefined;
		return session && session.exp * 1000 > Date.now() ? session : undefined;
	}

	private cookie(value: string, maxAge: number): string {
		return `${this.cookieName}=${value}; Max-Age=${maxAge}; Path=/; HttpOnly; SameSite=Strict${this.secure ? "; Secure" : ""}`;
	}
}
