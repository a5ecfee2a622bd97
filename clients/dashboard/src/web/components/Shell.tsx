/** The frame of the administrators' pages. */
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import {
	ChartNoAxesCombined,
	Clock,
	Eye,
	LogOut,
	Moon,
	ShieldAlert,
	SlidersHorizontal,
	Sun,
	Users,
} from "lucide-react";
import { useEffect, useRef } from "react";
import { logout } from "../api";
import { useServer, useSession } from "../session";
import { setTheme, useTheme } from "../theme";
import { Button, Note, Time } from "./basics";

export function Logo() {
	return (
		<span className="logo">
			<img src="/icon.svg" alt="" width={28} height={28} />
			<span>Usage limits</span>
		</span>
	);
}

export function ThemeButton() {
	const theme = useTheme();
	const other = theme === "dark" ? "light" : "dark";
	return (
		<Button
			look="quiet"
			icon={theme === "dark" ? Sun : Moon}
			aria-label={`Change to the ${other} theme`}
			title={`Change to the ${other} theme`}
			onClick={() => setTheme(other)}
		/>
	);
}

export function SignOut() {
	const { needsToken } = useSession();
	if (!needsToken) return null;
	return (
		<Button
			look="quiet"
			icon={LogOut}
			aria-label="Sign out"
			title="Sign out"
			onClick={() => void logout().then(() => location.reload())}
		/>
	);
}

export function Shell() {
	const server = useServer();
	const path = useRouterState({ select: (state) => state.location.pathname });
	const main = useRef<HTMLElement>(null);
	const seen = useRef(path);
	// a new page is told to screen readers by the focus, as a browser would
	useEffect(() => {
		if (seen.current !== path) main.current?.focus({ preventScroll: true });
		seen.current = path;
	}, [path]);
	return (
		<div className="shell">
			<a className="skip" href="#main">
				Skip to the content
			</a>
			<aside className="side">
				<Logo />
				<nav aria-label="Main">
					<Link to="/overview" search={{ days: 30 }} activeOptions={{ includeSearch: false }}>
						<ChartNoAxesCombined aria-hidden />
						Overview
					</Link>
					<Link to="/limits" search={{ view: "limits" }} activeOptions={{ includeSearch: false }}>
						<SlidersHorizontal aria-hidden />
						Limits
					</Link>
					<Link to="/users" search={{ search: "" }} activeOptions={{ includeSearch: false }}>
						<Users aria-hidden />
						Users
					</Link>
				</nav>
				<div className="side-foot">
					<span className="faint">v{server.version}</span>
					<span className="row">
						<SignOut />
						<ThemeButton />
					</span>
				</div>
			</aside>
			<main id="main" ref={main} tabIndex={-1}>
				<Notices />
				<Outlet />
			</main>
		</div>
	);
}

/** What makes the numbers below other than one would think. */
export function Notices() {
	const { testClock, now, enforcement, tracking, readOnly, standby } = useServer();
	return (
		<>
			{testClock && (
				<Note tone="warn" icon={Clock}>
					Time is set by <code>usage_limits.test_clock</code>: it is <Time at={now} />.
				</Note>
			)}
			{enforcement === "off" && (
				<Note tone="warn" icon={ShieldAlert}>
					Limits are not enforced: <code>usage_limits.enforcement</code> is off.
				</Note>
			)}
			{enforcement === "shadow" && (
				<Note tone="warn" icon={ShieldAlert}>
					Limits only report: <code>usage_limits.enforcement</code> is shadow.
				</Note>
			)}
			{!tracking && (
				<Note tone="warn" icon={ShieldAlert}>
					Usage is not recorded: <code>usage_limits.tracking_enabled</code> is off.
				</Note>
			)}
			{(readOnly || standby) && (
				<Note icon={Eye}>
					{standby
						? "This database is a standby: nothing can be changed here."
						: "Read only: nothing can be changed here."}
				</Note>
			)}
		</>
	);
}
