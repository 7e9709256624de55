"""Sentences that fit any English scene: they add pace and pause, and state nothing that a summary could deny.

`[is/was]` is present or past; `{name}` is a person of the summary, `{thing}` one of its things ("the letter"), never a
grammatical subject, since it may be a plural.
"""

OPENING = (
    "Nothing about the hour [suggests/suggested] that it [will/would] be remembered.",
    "It [begins/began] quietly, as such things often do.",
    "There [is/was] time to notice the small things first: the light, the air, a sound from farther off.",
    "The moment [seems/seemed] ordinary enough, and it [gives/gave] no sign of what [will/would] come of it.",
    "At first there [is/was] little to see, and less to say about it.",
)
PLAIN = (
    "It [does/did] not happen all at once.",
    "First there [is/was] only a sense that something [has/had] shifted; then there [is/was] no mistaking it.",
    "Each detail [comes/came] separately, and only afterwards [do/did] they make one picture.",
    "A pause [follows/followed], long enough to be felt.",
    "What [has/had] been a possibility until then [is/was] now simply a fact.",
    "For a little while there [is/was] no need to decide anything.",
    "There [is/was] more to it than could be seen from the outside.",
    "It [takes/took] some time for the meaning of this to settle.",
    "Somewhere not far off an everyday sound [goes/went] on, indifferent to all of it.",
    "The next step [is/was] harder than it [looks/looked].",
    "No single reason [explains/explained] it.",
    "Whatever [has/had] gone before, this [gives/gave] it a different weight.",
    "The light [shifts/shifted] a little, and the shadows with it.",
    "It [is/was] not a moment that [leaves/left] much room for second thoughts.",
    "There [is/was] something unfinished in the air.",
    "Small things [go/went] on as before, as small things always [do/did].",
    "A few heartbeats [pass/passed], and then a few more.",
    "The obvious question [hangs/hung] there, and nothing [answers/answered] it.",
    "It [would/would have] be[/en] easy to look away, but it [is/was] a little too late for that.",
    "Time [seems/seemed] to move in two directions at once, back to what [has/had] been and on to what [is/was] still to come.",
    "From here on, even an ordinary gesture [means/meant] more than it [says/said].",
    "The quiet that [comes/came] after it [is/was] of another kind than the quiet before.",
    "It [is/was] a small thing, perhaps, but it [does/did] not feel small.",
    "There [is/was] no hurry now, and no way back either.",
    "What [is/was] left unsaid [takes/took] up most of the room.",
    "One thought [leads/led] to another, and none of them [is/was] a comfort.",
    "The air [feels/felt] closer than it [has/had] a minute before.",
    "Little by little the rest of the world [comes/came] back into view.",
)
PERSONAL = (
    "For a moment {name} [does/did] nothing at all.",
    "{name} [takes/took] it in slowly, one detail after another.",
    "There [is/was] a question {name} [wants/wanted] to ask, and no good moment to ask it.",
    "It [is/was] not what {name} [has/had] expected.",
    "{name} [lets/let] the first answer that [comes/came] to mind go by.",
    "Whatever {name} [feels/felt] about it, none of it [shows/showed].",
    "{name} [thinks/thought] of how this might have gone on any other day.",
    "It [costs/cost] {name} some effort to stay calm.",
    "{name} [waits/waited] until the first confusion [has/had] passed.",
    "Long afterwards {name} [will/would] remember how still it [has/had] been.",
    "For {name} there [is/was] no longer any doubt about it.",
    "{name} [tries/tried] not to read too much into it, and [fails/failed].",
    "Something in {name} [has/had] already made up its mind.",
    "{name} [breathes/breathed] out slowly.",
)
ABOUT_A_THING = (
    "For a while everything [seems/seemed] to turn on {thing}.",
    "Again and again the thought [comes/came] back to {thing}.",
    "It [is/was] hard to look away from {thing}.",
    "There [is/was] something about {thing} that [does/did] not let go.",
)
CLOSING = (
    "After that there [is/was] little left to say.",
    "What [comes/came] next [belongs/belonged] to another hour.",
    "Nothing around [has/had] changed, and nothing [is/was] quite the same.",
    "And with that the moment [is/was] over.",
)
