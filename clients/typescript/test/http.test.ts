import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { Hono } from "hono";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import {
	expressProblems,
	limitExpress,
	limitHono,
	limitRoute,
	problemResponse,
	rateLimitHeaders,
	routeWithProblems,
	usageRoute,
} from "../src/http/index.js";
import { type UsageDecision, UsageLimitError, UsageTracker } from "../src/index.js";
import { createDatabase } from "./server.js";

const database = await createDatabase();
const pool = new pg.Pool({ ...database.app, max: 10 });
afterAll(() => pool.end());
const usage = new UsageTracker(pool);

const userOf = (request: Request) => request.headers.get("x-user") ?? "nobody";
const exportOf = (request: Request) => ({ userId: userOf(request), usageType: "export" });

/** A framework's server: answers 200 "exported" on /export, limited; /broken throws a denial inside; /failing fails. */
type Fetch = (path: string, user: string) => Promise<Response>;

const frameworks: Record<string, () => Promise<Fetch>> = {
	"a route handler": async () => {
		const routes: Record<string, (request: Request) => Promise<Response>> = {
			"/export": limitRoute(usage, exportOf, () => new Response("exported")),
			"/broken": routeWithProblems(async (request) => {
				await usage.enforce(exportOf(request)).catch((cause: unknown) => {
					throw new Error("export failed", { cause });
				});
				return new Response("exported");
			}),
			"/failing": routeWithProblems(() => {
				throw new Error("no disk");
			}),
		};
		return (path, user) => {
			const handler = routes[path] as (request: Request) => Promise<Response>;
			const request = new Request(`http://localhost${path}`, { headers: { "x-user": user } });
			return handler(request).catch(() => new Response("failed", { status: 500 }));
		};
	},
	Hono: async () => {
		const app = new Hono();
		app.onError((error, c) => problemResponse(error) ?? c.text("failed", 500));
		app.get(
			"/export",
			limitHono(usage, (c) => exportOf(c.req.raw)),
			(c) => c.text("exported"),
		);
		app.get("/broken", async (c) => {
			await usage.enforce(exportOf(c.req.raw));
			return c.text("exported");
		});
		app.get("/failing", () => {
			throw new Error("no disk");
		});
		return async (path, user) => app.request(path, { headers: { "x-user": user } });
	},
	Express: async () => {
		const app = express();
		const exportOfExpress = (request: express.Request) => ({
			userId: request.header("x-user") ?? "nobody",
			usageType: "export",
		});
		app.get(
			"/export",
			limitExpress(usage, (request: express.Request) => exportOfExpress(request)),
			(_request, response) => void response.send("exported"),
		);
		app.get("/broken", async (request, response) => {
			await usage.enforce(exportOfExpress(request));
			response.send("exported");
		});
		app.get("/failing", () => {
			throw new Error("no disk");
		});
		app.use(expressProblems());
		app.use((_error: unknown, _request: express.Request, response: express.Response, _next: unknown) => {
			response.status(500).send("failed");
		});
		const server = app.listen(0, "127.0.0.1");
		await once(server, "listening");
		afterAll(() => void server.close());
		const { port } = server.address() as AddressInfo;
		return (path, user) => fetch(`http://127.0.0.1:${port}${path}`, { headers: { "x-user": user } });
	},
};

describe.each(Object.entries(frameworks))("%s", (name, start) => {
	test("answers with the RateLimit headers, and a denial with 429 and a problem", async () => {
		const get = await start();
		for (const remaining of [2, 1, 0]) {
			const response = await get("/export", name);
			expect(response.status).toBe(200);
			expect(await response.text()).toBe("exported");
			expect(response.headers.get("ratelimit-policy")).toBe('"exports_daily";q=3');
			expect(response.headers.get("ratelimit")).toMatch(
				new RegExp(`^"exports_daily";r=${remaining};t=\\d+$`),
			);
			expect(response.headers.get("retry-after")).toBeNull();
		}
		for (const path of ["/export", "/broken"]) {
			const denied = await get(path, name);
			expect(denied.status).toBe(429);
			expect(denied.headers.get("content-type")).toBe("application/problem+json");
			const after = Number(denied.headers.get("retry-after"));
			expect(after).toBeGreaterThan(0);
			expect(after).toBeLessThanOrEqual(86_400);
			expect(denied.headers.get("ratelimit-policy")).toBe('"exports_daily";q=3');
			expect(denied.headers.get("ratelimit")).toBe(`"exports_daily";r=0;t=${after}`);
			expect(await denied.json()).toMatchObject({
				type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
				status: 429,
				detail: expect.stringContaining("exports_daily limit (3/3)"),
				"violated-policies": ["exports_daily"],
				usageLimit: { limitType: "exports_daily", current: 3, limit: 3, retryAfter: after },
			});
		}
	});

	test("leaves other errors to the application", async () => {
		const get = await start();
		const response = await get("/failing", name);
		expect(response.status).toBe(500);
		expect(await response.text()).toBe("failed");
	});

	test("50 at once against a limit of 3: exactly 3 get through", async () => {
		const get = await start();
		const responses = await Promise.all(Array.from({ length: 50 }, () => get("/export", `${name}, 50`)));
		const by = (status: number) => responses.filter((response) => response.status === status);
		expect(by(200)).toHaveLength(3);
		expect(by(429)).toHaveLength(47);
		expect(
			by(200)
				.map((response) => response.headers.get("ratelimit")?.match(/r=(\d)/)?.[1])
				.sort(),
		).toEqual(["0", "1", "2"]);
		for (const response of by(429)) expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
	});
});

test("Hono: a response whose headers cannot be changed gets them too", async () => {
	const app = new Hono();
	const limited = limitHono(usage, (c) => exportOf(c.req.raw));
	app.get("/export", limited, () => Response.redirect("http://localhost/video.mp4"));
	const response = await app.request("/export", { headers: { "x-user": "redirected" } });
	expect(response.status).toBe(302);
	expect(response.headers.get("location")).toBe("http://localhost/video.mp4");
	expect(response.headers.get("ratelimit-policy")).toBe('"exports_daily";q=3');
});

const decision: UsageDecision = {
	allowed: true,
	reason: "ok",
	usageType: "export",
	limitType: "exports_daily",
	requested: 1,
	current: 1,
	limit: 3,
	remaining: 2,
	resetAt: new Date("2026-03-02T00:00:00Z"),
	retryAfter: null,
	eventId: null,
	holdId: null,
};

describe("rateLimitHeaders", () => {
	const now = new Date("2026-03-01T23:59:30.500Z");

	test("says the window where it is told", () => {
		expect(rateLimitHeaders(decision, { now, window: 86_400 })).toEqual({
			"RateLimit-Policy": '"exports_daily";q=3;w=86400',
			RateLimit: '"exports_daily";r=2;t=30',
		});
	});

	test("says what usage_headers does, but for the window that only the database knows", async () => {
		await database.sql(`SELECT usage_set_limit('größe "x"_daily', 3, usage_type => 'size')`);
		const admin = new UsageTracker(database.admin);
		const compare = async (usageType: string, amount: number) => {
			const given = await admin.consume({ userId: "bob", usageType, amount });
			const [row] = await database.sql(
				`SELECT jsonb_object_agg(h.name, h.value) AS headers FROM usage_headers(jsonb_populate_record(
					NULL::usage_decision, $1)) AS h`,
				[
					JSON.stringify({
						allowed: given.allowed,
						limit_type: given.limitType,
						limit: given.limit,
						remaining: given.remaining,
						reset_at: given.resetAt,
						retry_after: given.retryAfter,
					}),
				],
			);
			const theirs = Object.entries((row?.headers ?? {}) as Record<string, string>);
			const ours = Object.entries(rateLimitHeaders(given));
			const text = (headers: [string, string][]) =>
				headers
					.map(([name, value]) => `${name.toLowerCase()}: ${value.replace(/;w=\d+|;t=\d+/g, "")}`)
					.sort();
			expect(text(ours)).toEqual(text(theirs));
			return ours.length;
		};
		expect(await compare("export", 2)).toBe(2);
		expect(await compare("export", 2)).toBe(3);
		expect(await compare("export", 20)).toBe(2);
		expect(await compare("size", 1)).toBe(2);
		expect(await compare("project_create", 1)).toBe(2);
		expect(await compare("no limits", 1)).toBe(0);
	});

	test("is silent about what has no limit, and about a time that there is not", () => {
		expect(rateLimitHeaders({ ...decision, limit: -1, remaining: null, reason: "unlimited" })).toEqual({});
		expect(rateLimitHeaders({ ...decision, limitType: null, reason: "no_limit" })).toEqual({});
		expect(rateLimitHeaders({ ...decision, resetAt: null })).toEqual({
			"RateLimit-Policy": '"exports_daily";q=3',
			RateLimit: '"exports_daily";r=2',
		});
		const never = rateLimitHeaders({
			...decision,
			allowed: false,
			reason: "amount_exceeds_limit",
			resetAt: null,
		});
		expect(never).not.toHaveProperty("Retry-After");
	});

	test("quotes any name", () => {
		const policy = (limitType: string) => rateLimitHeaders({ ...decision, limitType })["RateLimit-Policy"];
		expect(policy('a"b\\c')).toBe('"a\\"b\\\\c";q=3');
		expect(policy("größe\r\nSet-Cookie: x")).toBe('"gr%C3%B6%C3%9Fe%0D%0ASet-Cookie: x";q=3');
	});
});

test("a lack of credits is 402", async () => {
	const error = Object.assign(new Error("insufficient credits"), {
		code: "PT402",
		detail: JSON.stringify({
			limitType: null,
			usageType: "prompt",
			title: null,
			current: 4,
			limit: 10,
			requested: 10,
			resetAt: null,
			retryAfter: null,
		}),
	});
	expect(UsageLimitError.from(error)).toMatchObject({
		status: 402,
		code: "PT402",
		decision: { reason: "insufficient_credits", remaining: 4 },
		message: "You have 4 credits and need 10.",
	});
	const response = problemResponse(error);
	expect(response?.status).toBe(402);
	expect(await response?.json()).toMatchObject({ title: "Payment Required", status: 402 });
});

test("serves a user's limits and statistics", async () => {
	const route = usageRoute(usage, (request) => request.headers.get("x-user"));
	const get = (path: string, headers: Record<string, string> = { "x-user": "ann" }, method = "GET") =>
		route(new Request(`http://localhost/api/usage${path}`, { headers, method }));
	await usage.consume({ userId: "ann", usageType: "prompt", amount: 2 });
	const limits = (await (await get("/limits")).json()) as Record<string, unknown>;
	expect(limits).toMatchObject({
		tier: "free",
		prompts: { current: 2, resetAt: expect.stringMatching(/Z$/) },
	});
	expect(await (await get("/stats?days=7")).json()).toMatchObject({ totals: { prompt: 2 } });
	expect((await get("/limits", {})).status).toBe(401);
	expect((await get("/stats?days=x")).status).toBe(400);
	expect((await get("/other")).status).toBe(404);
	expect((await get("/limits", { "x-user": "ann" }, "POST")).status).toBe(404);
});
