/* What a sketch of ours uses of Arduino's core, as its reference documents it. arduino.cpp has what is
 * declared.
 */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

void sketch_print(const char *text);
void sketch_print(double value);
void sketch_print(long value);

struct SerialPort {
    void begin(unsigned long) {
    }
    void print(const char *text) {
        sketch_print(text);
    }
    void print(int value) {
        sketch_print(static_cast<long>(value));
    }
    void print(long value) {
        sketch_print(value);
    }
    void print(unsigned long value) {
        sketch_print(static_cast<long>(value));
    }
    void print(double value) {
        sketch_print(value);
    }
    template <typename T> void println(T value) {
        print(value);
        sketch_print("\n");
    }
};

static SerialPort Serial __attribute__((unused));

unsigned long micros();
void delay(unsigned long);
void setup();
void loop();

#endif
