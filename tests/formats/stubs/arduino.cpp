/* Runs a sketch's setup and one loop. Floats have two digits, as Serial.print writes them. */
#include "Arduino.h"

#include <stdio.h>

void sketch_print(const char *text) {
    printf("%s", text);
}

void sketch_print(double value) {
    printf("%.2f", value);
}

void sketch_print(long value) {
    printf("%ld", value);
}

unsigned long micros() {
    return 0;
}

void delay(unsigned long) {
}

int main() {
    setup();
    loop();
    return 0;
}
