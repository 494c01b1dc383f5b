TITLE Persistent potassium current
: Kinetics of Korngreen and Sakmann (2000), as in Hay et al. (2011), PLoS Comput Biol 7:e1002107.
: Rates are those at 34 C whatever the temperature, as published: 2.3^((34 - 21)/10) times those measured at 21 C.

NEURON {
    SUFFIX K_Pst
    USEION k READ ek WRITE ik
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
    ek (mV)
    ik (mA/cm2)
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
    g = gbar * m^2 * h
    ik = g * (v - ek)
}

DERIVATIVE gates {
    rates(v)
    m' = (minf - m) / mtau
    h' = (hinf - h) / htau
}

UNITSOFF
PROCEDURE rates(v) {
    LOCAL faster
    faster = 2.3^((34 - 21) / 10)
    minf = 1 / (1 + exp(-(v + 11) / 12))
    if (v < -60) {
        mtau = (1.25 + 175.03 * exp(0.026 * (v + 10))) / faster
    } else {
        mtau = (1.25 + 13 * exp(-0.026 * (v + 10))) / faster
    }
    hinf = 1 / (1 + exp((v + 64) / 11))
    htau = (360 + (1010 + 24 * (v + 65)) * exp(-((v + 85) / 48)^2)) / faster
}
UNITSON
