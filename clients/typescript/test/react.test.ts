// @vitest-environment jsdom
import { act, cleanup, render, renderHook, screen } from "@testing-library/react";
import axe from "axe-core";
import { createElement as h } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
	fetchSource,
	formatDuration,
	type LimitData,
	type LimitsData,
	trpcSource,
	UsageDisplay,
	UsageProvider,
	type UsageSource,
	useUsageLimits,
} from "../src/react/index.js";

const start = new Date("2026-03-01T22:00:00Z").getTime();
const midnight = "2026-03-02T00:00:00+00:00";

const limit = (current: number, of: number, more: Partial<LimitData> = {}): LimitData => ({
	allowed: of < 0 || current < of,
	current,
	limit: of,
	remaining: of < 0 ? null : Math.max(0, of - current),
	resetAt: midnight,
	limitType: "prompts_daily",
	...more,
});
const limitsOf = (named: Record<string, LimitData>, more: Partial<LimitsData> = {}): LimitsData =>
	({
		tier: "free",
		limits: Object.fromEntries(Object.values(named).map((value) => [value.limitType, value])),
		...named,
		...more,
	}) as LimitsData;

const Shows = () => h("p", null, useUsageLimits().limits.prompts?.current);

/** A source whose answers can be set; counts the questions. */
function sourceOf(answer: () => LimitsData | Promise<LimitsData>) {
	return {
		getUserLimits: vi.fn(async () => answer()),
		getUserStats: vi.fn(async () => ({ daily: {}, totals: { prompt: 4 }, recentEvents: [] })),
	} satisfies UsageSource;
}
const settle = () => act(() => vi.advanceTimersByTimeAsync(0));
const advance = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

function setVisibility(state: "visible" | "hidden") {
	Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
	document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
	vi.useFakeTimers({ now: start });
	(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});
afterEach(() => {
	cleanup();
	setVisibility("visible");
	vi.useRealTimers();
});

describe("useUsageLimits", () => {
	test("returns what the seed's hook did", async () => {
		const source = sourceOf(() =>
			limitsOf({ prompts: limit(4, 10), exports: limit(3, 3, { limitType: "exports_daily" }) }),
		);
		const { result } = renderHook(() => useUsageLimits({ source }));
		expect(result.current).toMatchObject({
			limits: {},
			stats: {},
			isLoading: true,
			canExport: true,
			isFreeTier: false,
		});
		await settle();
		expect(result.current).toMatchObject({
			limits: { tier: "free", prompts: { current: 4 } },
			stats: { totals: { prompt: 4 } },
			isLoading: false,
			isFreeTier: true,
			canExport: false,
			canGenerate: true,
		});
		expect(result.current.can("exports_daily")).toBe(false);
		expect(result.current.can("anything")).toBe(true);
		expect(source.getUserStats).toHaveBeenCalledWith({ days: 30 });
	});

	test("asks every minute, and not while the page is hidden", async () => {
		const source = sourceOf(() => limitsOf({ prompts: limit(4, 10) }));
		const { unmount } = renderHook(() => useUsageLimits({ source, statsDays: false }));
		await settle();
		expect(source.getUserLimits).toHaveBeenCalledTimes(1);
		expect(source.getUserStats).not.toHaveBeenCalled();
		await advance(60_000);
		expect(source.getUserLimits).toHaveBeenCalledTimes(2);
		setVisibility("hidden");
		await advance(600_000);
		expect(source.getUserLimits).toHaveBeenCalledTimes(2);
		setVisibility("visible");
		await settle();
		expect(source.getUserLimits).toHaveBeenCalledTimes(3);
		unmount();
		await advance(600_000);
		expect(source.getUserLimits).toHaveBeenCalledTimes(3);
	});

	test("asks again when a limit resets, by the server's clock", async () => {
		// this machine is an hour slow: for the server it is 23:00
		const ahead = 3_600_000;
		let current = 10;
		const source = sourceOf(() =>
			limitsOf({ prompts: limit(current, 10) }, { now: new Date(Date.now() + ahead).toISOString() }),
		);
		const { result } = renderHook(() => useUsageLimits({ source, refetchInterval: 0, statsDays: false }));
		await settle();
		expect(result.current.canGenerate).toBe(false);
		await advance(3_599_000);
		expect(source.getUserLimits).toHaveBeenCalledTimes(1);
		current = 0;
		await advance(2_000);
		expect(source.getUserLimits).toHaveBeenCalledTimes(2);
		expect(result.current.canGenerate).toBe(true);
	});

	test("a reset that lies in the past is looked at once a second, not all the time", async () => {
		const source = sourceOf(() => limitsOf({ prompts: limit(4, 10, { resetAt: "2026-03-01T00:00:00Z" }) }));
		renderHook(() => useUsageLimits({ source, refetchInterval: 0, statsDays: false }));
		await settle();
		await advance(10_000);
		expect(source.getUserLimits.mock.calls.length).toBeLessThanOrEqual(11);
	});

	test("keeps what it knows beside an error, and goes on asking", async () => {
		let fails = false;
		const source = sourceOf(() => {
			if (fails) throw new Error("offline");
			return limitsOf({ prompts: limit(4, 10) });
		});
		const { result } = renderHook(() => useUsageLimits({ source, statsDays: false }));
		await settle();
		fails = true;
		await advance(60_000);
		expect(result.current.error).toMatchObject({ message: "offline" });
		expect(result.current.limits.prompts?.current).toBe(4);
		fails = false;
		await act(() => result.current.refetch());
		expect(result.current.error).toBeUndefined();
	});

	test("asks nothing while it is not enabled, and needs a source when it is", async () => {
		const source = sourceOf(() => limitsOf({}));
		const { result, rerender } = renderHook(({ enabled }) => useUsageLimits({ source, enabled }), {
			initialProps: { enabled: false },
		});
		await settle();
		expect(source.getUserLimits).not.toHaveBeenCalled();
		expect(result.current.isLoading).toBe(false);
		rerender({ enabled: true });
		await settle();
		expect(source.getUserLimits).toHaveBeenCalledTimes(1);

		const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
		expect(() => renderHook(() => useUsageLimits())).toThrow(/UsageProvider/);
		quiet.mockRestore();
		expect(renderHook(() => useUsageLimits({ enabled: false })).result.current.limits).toEqual({});
	});

	test("components below a provider share one question", async () => {
		const source = sourceOf(() => limitsOf({ prompts: limit(4, 10) }));
		render(h(UsageProvider, { source }, h(Shows), h(Shows), h(UsageDisplay)));
		await settle();
		expect(screen.getAllByText("4")).toHaveLength(2);
		expect(source.getUserLimits).toHaveBeenCalledTimes(1);
	});

	test("takes its data from tRPC, or over HTTP", async () => {
		const limits = limitsOf({ prompts: limit(4, 10) });
		const stats = { daily: {}, totals: {}, recentEvents: [] };
		const query = vi.fn(async () => stats);
		const trpc = trpcSource({ getUserLimits: { query: async () => limits }, getUserStats: { query } });
		expect(await trpc.getUserLimits()).toBe(limits);
		await trpc.getUserStats?.({ days: 7 });
		expect(query).toHaveBeenCalledWith({ days: 7 });

		const answer = vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json(limits));
		expect(await fetchSource("/api/usage").getUserLimits()).toEqual(limits);
		await fetchSource("/api/usage").getUserStats?.({ days: 7 });
		expect(answer.mock.calls.map(([url]) => url)).toEqual(["/api/usage/limits", "/api/usage/stats?days=7"]);
		answer.mockImplementation(async () => new Response(null, { status: 401 }));
		await expect(fetchSource("/api/usage").getUserLimits()).rejects.toThrow("/api/usage/limits answered 401");
		answer.mockRestore();
	});
});

describe("<UsageDisplay>", () => {
	const every = () =>
		limitsOf({
			prompts: limit(4, 10),
			exports: limit(3, 3, { limitType: "exports_daily" }),
			downloads: limit(1500, 1000, { limitType: "downloads_daily" }),
			projects: limit(7, -1, { limitType: "projects_total", resetAt: null }),
			web_agent: limit(0, 0, { limitType: "web_agent_daily" }),
		});

	test("shows any limits: open, full, over, unlimited, blocked", async () => {
		render(
			h(UsageDisplay, {
				source: sourceOf(every),
				labels: { prompts: "AI Generations" },
				title: "Usage Today",
			}),
		);
		expect(document.body.textContent).toBe("");
		await settle();
		expect(screen.getByRole("region", { name: "Usage Today" })).toBeDefined();
		expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
			"AI Generations4 / 10Resets in 2h",
			"Exports3 / 3Resets in 2h",
			"Downloads1,500 / 1,000Resets in 2h",
			"Projects7 / ∞7 / unlimited",
			"Web agentnot includedResets in 2h",
		]);
		const bars = screen.getAllByRole("progressbar");
		expect(
			bars.map((bar) =>
				["aria-valuenow", "aria-valuemin", "aria-valuemax", "aria-valuetext"].map((name) =>
					bar.getAttribute(name),
				),
			),
		).toEqual([
			["4", "0", "10", "4 / 10"],
			["3", "0", "3", "3 / 3"],
			["1000", "0", "1000", "1,500 / 1,000"],
			["1", "0", "1", "not included"],
		]);
		expect(bars.map((bar) => (bar.firstElementChild as HTMLElement).style.width)).toEqual([
			"40%",
			"100%",
			"100%",
			"100%",
		]);
		expect(screen.getByRole("progressbar", { name: "AI Generations" })).toBe(bars[0]);
		expect(screen.getAllByRole("listitem").map((item) => item.dataset.state)).toEqual([
			"open",
			"full",
			"full",
			"unlimited",
			"full",
		]);
	});

	test("shows those that are named, by either name, in that order", async () => {
		render(h(UsageDisplay, { source: sourceOf(every), names: ["exports_daily", "prompts", "nothing"] }));
		await settle();
		expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
			"Exports daily3 / 3Resets in 2h",
			"Prompts4 / 10Resets in 2h",
		]);
	});

	test("counts down, and shows the new window when it resets", async () => {
		let current = 10;
		const source = sourceOf(() =>
			limitsOf(
				{
					prompts: limit(current, 10, {
						resetAt: Date.now() < start + 7_200_000 ? midnight : "2026-03-03T00:00:00Z",
					}),
				},
				{ now: new Date().toISOString() },
			),
		);
		render(h(UsageDisplay, { source, refetchInterval: 0 }));
		await settle();
		expect(screen.getByText("Resets in 2h")).toBeDefined();
		await advance(30_000);
		expect(screen.getByText("Resets in 1h 59m")).toBeDefined();
		await advance(7_200_000 - 30_000 - 5_000);
		expect(screen.getByText("Resets in 5s")).toBeDefined();
		current = 0;
		await advance(6_000);
		expect(screen.getByText("0 / 10")).toBeDefined();
		expect(screen.getByText("Resets in 23h 59m")).toBeDefined();
	});

	test("has nothing that axe finds wrong", async () => {
		const { container } = render(h("main", null, h(UsageDisplay, { source: sourceOf(every) })));
		await settle();
		vi.useRealTimers();
		// colors need a real page
		const { violations } = await axe.run(container, { rules: { "color-contrast": { enabled: false } } });
		expect(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])).toEqual([]);
	});

	test("has styles without Tailwind, which can be replaced or left out", async () => {
		const source = sourceOf(every);
		const { rerender, container } = render(h(UsageDisplay, { source }));
		await settle();
		const track = () => container.querySelector("[role=progressbar]") as HTMLElement;
		expect(track().style.height).toBe("8px");
		rerender(h(UsageDisplay, { source, classNames: { track: "h-2" }, styles: { root: { color: "red" } } }));
		expect(track().className).toBe("h-2");
		expect(track().style.height).toBe("");
		expect((container.firstElementChild as HTMLElement).style.color).toBe("red");
		rerender(h(UsageDisplay, { source, unstyled: true }));
		expect(track().style.cssText).toBe("");
		expect((track().firstElementChild as HTMLElement).style.width).toBe("40%");
	});

	test("speaks other languages", async () => {
		const texts = {
			resets: (duration: string) => `Neu in ${duration}`,
			duration: (milliseconds: number) => `${milliseconds / 3_600_000} Std.`,
			number: (value: number) => value.toLocaleString("de-DE"),
			unlimited: "unbegrenzt",
		};
		render(
			h(UsageDisplay, { source: sourceOf(every), names: ["downloads", "projects"], texts, title: "Nutzung" }),
		);
		await settle();
		expect(screen.getByText("1.500 / 1.000")).toBeDefined();
		expect(screen.getByText("Neu in 2 Std.")).toBeDefined();
		expect(screen.getByText("7 / unbegrenzt")).toBeDefined();
	});

	test("shows something while there is nothing, and an error when asked to", async () => {
		const source = sourceOf(() => Promise.reject(new Error("offline")));
		render(
			h(UsageDisplay, {
				source,
				fallback: h("p", null, "…"),
				renderError: (error) => h("p", null, String(error)),
			}),
		);
		expect(screen.getByText("…")).toBeDefined();
		await settle();
		expect(screen.getByText("Error: offline")).toBeDefined();
	});

	test("renders on the server, and the browser takes over from there", async () => {
		const source = sourceOf(every);
		const initialLimits = limitsOf(
			{ prompts: limit(4, 10) },
			{ now: new Date(start).toISOString() },
		) as Parameters<typeof UsageDisplay>[0]["initialLimits"];
		const element = h(UsageDisplay, { source, initialLimits });
		const container = document.body.appendChild(document.createElement("div"));
		container.innerHTML = renderToString(element);
		expect(container.textContent).toContain("4 / 10");
		expect(source.getUserLimits).not.toHaveBeenCalled();
		const errors = vi.spyOn(console, "error").mockImplementation(() => {});
		const root = await act(async () => hydrateRoot(container, element));
		await settle();
		expect(errors).not.toHaveBeenCalled();
		errors.mockRestore();
		expect(container.textContent).toContain("Exports3 / 3");
		await act(async () => root.unmount());
		container.remove();
	});
});

test("formatDuration", () => {
	const second = 1000;
	expect(
		[0, -5, 1, 8 * second, 69 * second, 3600 * second, 7501 * second, 86_400 * second, 273_600 * second].map(
			formatDuration,
		),
	).toEqual(["0s", "0s", "1s", "8s", "1m 9s", "1h", "2h 5m", "1d", "3d 4h"]);
});
