/* The task console: ticking clocks, live refresh, selection, keyboard. Every page works without it. */
"use strict";

(() => {
    const live = document.getElementById("live");
    const help = document.getElementById("help");
    const bulk = document.getElementById("bulk");
    const typing = (element) => element instanceof HTMLElement && element.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    const ticked = () => [...document.querySelectorAll("input[name=task]:checked")];
    const allMatching = document.getElementById("all-matching");

    // --- clocks: the server's texts, on the server's time ---

    const words = live ? JSON.parse(live.dataset.clocks) : null;
    const ahead = words ? Date.now() - Date.parse(words.now) : 0;

    function spanOf(seconds) {
        const parts = {
            days: Math.floor(seconds / 86400),
            hours: Math.floor(seconds / 3600) % 24,
            minutes: Math.floor(seconds / 60) % 60,
            seconds: Math.floor(seconds) % 60,
        };
        const largest = Object.keys(parts).find((unit) => parts[unit] > 0) || "seconds";
        return words.spans[largest].replace(/%\((\w+)\)d/g, (_, unit) => String(parts[unit]));
    }

    function tick() {
        const now = Date.now() - ahead;
        for (const clock of document.querySelectorAll("time[data-tick]")) {
            const at = Date.parse(clock.dateTime);
            const kind = clock.dataset.tick;
            const text = kind === "again" && at <= now ? words.due : words.patterns[kind].replace("%(span)s", spanOf(Math.abs(now - at) / 1000));
            if (clock.textContent !== text) clock.textContent = text;
        }
    }

    if (words) {
        tick();
        window.setInterval(tick, 1000);
    }

    // --- live refresh ---

    const REMEMBERED = "console-refresh";
    const COUNTING_SECONDS = 0.5;
    let timer = 0;

    function chosenSeconds() {
        const stored = window.localStorage.getItem(REMEMBERED);
        return stored === null ? 5 : Number(stored);
    }

    function paused() {
        return document.hidden || ticked().length > 0 || Boolean(allMatching && allMatching.checked);
    }

    function say(text) {
        const place = document.getElementById("live-state");
        if (place && place.textContent !== text) place.textContent = text;
    }

    function schedule(seconds = chosenSeconds()) {
        window.clearTimeout(timer);
        if (!live || !seconds) return;
        timer = window.setTimeout(() => {
            if (paused()) schedule();
            else window.htmx.trigger(live, "refresh");
        }, seconds * 1000);
    }

    function showPause() {
        if (live) say(chosenSeconds() && !document.hidden && paused() ? live.dataset.paused : "");
    }

    if (live && window.htmx) {
        live.hidden = false;
        for (const choice of live.querySelectorAll("input[name=refresh]")) {
            choice.checked = Number(choice.value) === chosenSeconds();
            choice.addEventListener("change", () => {
                window.localStorage.setItem(REMEMBERED, choice.value);
                say("");
                schedule();
            });
        }
        live.addEventListener("htmx:configRequest", (event) => {
            event.detail.parameters.rows = [...document.querySelectorAll("#tasks tr[data-task]")].map((row) => row.dataset.task).join(",");
        });
        live.addEventListener("htmx:afterRequest", (event) => {
            const answer = event.detail.xhr;
            if (event.detail.successful && new URL(answer.responseURL).pathname !== window.location.pathname) {
                say(live.dataset.out);
                return;
            }
            if (answer.status >= 400 && answer.status < 500) {
                say(live.dataset.gone); // a task that was deleted, a permission that was taken away: asked again it would be the same
                return;
            }
            say(event.detail.successful ? "" : live.dataset.lost);
            document.body.dispatchEvent(new CustomEvent("console:refreshed"));
            schedule();
        });
        // Nobody reads a hidden tab; who comes back to it wants to see it as it is.
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden && chosenSeconds() && !paused()) window.htmx.trigger(live, "refresh");
        });
        // What was still being counted when the page was made is known a moment later.
        schedule(chosenSeconds() && "counting" in live.dataset ? COUNTING_SECONDS : chosenSeconds());
    }

    // What has not changed is not touched; what is being used is not taken away; what was opened stays open.
    document.addEventListener("htmx:oobBeforeSwap", (event) => {
        const { target, fragment } = event.detail;
        const fresh = fragment.firstElementChild;
        const inUse = target.contains(document.activeElement) && typing(document.activeElement);
        // A box may have been ticked, or a form opened, after the refresh was asked for.
        const chosen = target.querySelector("details[open] form, input[name=task]:checked");
        if (!fresh || fresh.dataset.revision === target.dataset.revision || inUse || chosen) {
            event.detail.shouldSwap = false;
            return;
        }
        for (const opened of target.querySelectorAll("details[open][data-key]")) {
            const same = fresh.querySelector(`details[data-key="${CSS.escape(opened.dataset.key)}"]`);
            if (same) same.open = true;
        }
        const focused = target.contains(document.activeElement) ? document.activeElement : null;
        if (focused) {
            const place = [...target.querySelectorAll("a, button, input, summary")].indexOf(focused);
            window.queueMicrotask(() => {
                const now = document.getElementById(target.id);
                const same = now && now.querySelectorAll("a, button, input, summary")[place];
                if (same) same.focus({ preventScroll: true });
            });
        }
    });
    document.addEventListener("htmx:afterSettle", tick);

    // --- selection ---

    const selectPage = document.getElementById("select-page");
    const counter = document.getElementById("selected-count");
    let last = null;

    function showSelection() {
        const count = ticked().length;
        const all = Boolean(allMatching && allMatching.checked);
        for (const button of document.querySelectorAll("#bulk button[name=action]")) button.disabled = !count && !all;
        if (counter) counter.textContent = count === 1 ? counter.dataset.one : counter.dataset.many.replace("%s", String(count));
        if (selectPage) {
            const boxes = document.querySelectorAll("input[name=task]").length;
            selectPage.checked = count > 0 && count === boxes;
            selectPage.indeterminate = count > 0 && count < boxes;
        }
        document.body.classList.toggle("all-are-selected", all);
        showPause();
    }

    if (bulk) {
        if (selectPage) {
            selectPage.hidden = false;
            selectPage.addEventListener("change", () => {
                for (const box of document.querySelectorAll("input[name=task]")) box.checked = selectPage.checked;
                showSelection();
            });
        }
        document.addEventListener("click", (event) => {
            const box = event.target;
            if (!(box instanceof HTMLInputElement) || box.name !== "task") return;
            const boxes = [...document.querySelectorAll("input[name=task]")];
            if (event.shiftKey && last && boxes.includes(last)) {
                const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((one, other) => one - other);
                for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
            }
            last = box;
        });
        document.addEventListener("change", (event) => {
            if (event.target === allMatching || (event.target instanceof HTMLInputElement && event.target.name === "task")) showSelection();
        });
        window.addEventListener("pageshow", showSelection); // the browser may have restored boxes that were ticked
        showSelection();
    }

    // --- menus and help ---

    const narrow = window.matchMedia("(max-width: 767px)").matches;
    for (const fold of document.querySelectorAll("details[data-fold=narrow]")) fold.open = !narrow;

    for (const button of document.querySelectorAll("[data-help]")) {
        button.hidden = false;
        button.addEventListener("click", () => help.showModal());
    }
    const menus = () => [...document.querySelectorAll("details.action[open]")];
    const MENU_REM = 24; // how wide its form is, with all that is around it

    function placeMenu(menu) {
        const room = menu.parentElement.getBoundingClientRect().right - menu.getBoundingClientRect().left;
        menu.classList.toggle("action--no-room", room < MENU_REM * parseFloat(getComputedStyle(document.documentElement).fontSize));
    }

    document.addEventListener("click", (event) => {
        const opened = event.target.closest("details.action > summary");
        if (opened) placeMenu(opened.parentElement);
        for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
    });

    // --- keyboard ---

    const rows = () => [...document.querySelectorAll("#tasks tr[data-task]")].filter((row) => row.querySelector(".task-link"));

    function move(step) {
        const all = rows();
        if (!all.length) return;
        const here = all.indexOf(document.activeElement && document.activeElement.closest("tr[data-task]"));
        const to = here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1);
        all[to].querySelector(".task-link").focus({ preventScroll: true });
        all[to].scrollIntoView({ block: "nearest" });
    }

    function selectHere() {
        const row = document.activeElement && document.activeElement.closest("tr[data-task]");
        const box = row && row.querySelector("input[name=task]");
        if (!box) return;
        box.checked = !box.checked;
        last = box;
        showSelection();
    }

    function leave() {
        if (typing(document.activeElement)) document.activeElement.blur();
        for (const menu of menus()) {
            menu.open = false;
            menu.querySelector("summary").focus();
        }
        if (!bulk) return;
        for (const box of ticked()) box.checked = false;
        if (allMatching) allMatching.checked = false;
        showSelection();
    }

    const KEYS = {
        "/": () => document.getElementById("search"),
        j: () => move(1),
        k: () => move(-1),
        x: selectHere,
        "?": () => help && help.showModal(),
    };

    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || (help && help.open)) return;
        if (event.key === "Escape") {
            leave();
            return;
        }
        if (typing(event.target) || !Object.hasOwn(KEYS, event.key)) return;
        event.preventDefault();
        const place = KEYS[event.key]();
        if (place instanceof HTMLElement) {
            place.focus();
            place.select();
        }
    });
})();
