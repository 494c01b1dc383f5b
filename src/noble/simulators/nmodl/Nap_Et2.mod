TITLE Persistent sodium current
: Kinetics of Magistretti and Alonso (1999), as in Hay et al. (2011), PLoS Comput Biol 7:e1002107.
: Rates are those at 34 C whatever the temperature, as published: 2.3^((34 - 21)/10) times those measured at 21 C.

NEURON {
    SUFFIX Nap_Et2
    USEION na READ ena WRITE ina
    RANGE gbar, g
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
}

ASSIGNED {
    v (mV)
    ena (mV)
    ina (mA/cm2)
    g (S/cm2)
    minf
    mtau (ms)
    hinf
    htau (ms)
}

STATE { m h }

INITIAL {
    rates(v)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    g = gbar * m^3 * h
    ina = g * (v - ena)
}

DERIVATIVE gates {
    rates(v)
    m' = (minf - m) / mtau
    h' = (hinf - h) / htau
}

UNITSOFF
PROCEDURE rates(v) {
    LOCAL faster, opening, closing
    faster = 2.3^((34 - 21) / 10)
    opening = 0.182 * 6 * softened((v + 38) / 6)
    closing = 0.124 * 6 * softened(-(v + 38) / 6)
    minf = 1 / (1 + exp(-(v + 52.6) / 4.6))
    mtau = 6 / (opening + closing) / faster
    opening = 2.88e-6 * 4.63 * softened(-(v + 17) / 4.63)
    closing = 6.94e-6 * 2.63 * softened((v + 64.4) / 2.63)
    hinf = 1 / (1 + exp((v + 48.8) / 10))
    htau = 1 / (opening + closing) / faster
}

FUNCTION softened(x) {
    : x / (1 - exp(-x)), with its limit at 0
    if (fabs(x) < 1e-6) {
        softened = 1 + x / 2
    } else {
        softened = x / (1 - exp(-x))
    }
}
UNITSON
