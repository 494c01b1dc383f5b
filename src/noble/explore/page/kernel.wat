;; Product of two matrices of float32, four columns at once: what a neuron's answer spends its time on.
;; kernel.wasm is this file as wabt 1.0.39 assembles it (npm: wabt; `wat2wasm kernel.wat`). All places in bytes; columns are a multiple of four numbers (16 bytes).
(module
  (import "page" "memory" (memory 1))
  (func (export "product")
    (param $left i32) (param $stride i32) (param $rows i32) (param $inner i32)
    (param $right i32) (param $wide i32) (param $result i32)
    (local $column i32) (local $place i32) (local $from i32) (local $end i32)
    (local $value v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $column (i32.const 0))
        (local.set $end (i32.add (local.get $left) (i32.shl (local.get $inner) (i32.const 2))))
        ;; sixteen columns at once while there are so many
        (block $few
          (loop $many
            (br_if $few (i32.gt_u (i32.add (local.get $column) (i32.const 64)) (local.get $wide)))
            (local.set $place (i32.add (local.get $right) (local.get $column)))
            (local.set $from (local.get $left))
            (local.set $a (v128.const f32x4 0 0 0 0))
            (local.set $b (v128.const f32x4 0 0 0 0))
            (local.set $c (v128.const f32x4 0 0 0 0))
            (local.set $d (v128.const f32x4 0 0 0 0))
            (loop $sum
              (local.set $value (v128.load32_splat (local.get $from)))
              (local.set $a (f32x4.add (local.get $a)
                (f32x4.mul (local.get $value) (v128.load (local.get $place)))))
              (local.set $b (f32x4.add (local.get $b)
                (f32x4.mul (local.get $value) (v128.load offset=16 (local.get $place)))))
              (local.set $c (f32x4.add (local.get $c)
                (f32x4.mul (local.get $value) (v128.load offset=32 (local.get $place)))))
              (local.set $d (f32x4.add (local.get $d)
                (f32x4.mul (local.get $value) (v128.load offset=48 (local.get $place)))))
              (local.set $place (i32.add (local.get $place) (local.get $wide)))
              (local.set $from (i32.add (local.get $from) (i32.const 4)))
              (br_if $sum (i32.lt_u (local.get $from) (local.get $end))))
            (local.set $place (i32.add (local.get $result) (local.get $column)))
            (v128.store (local.get $place) (local.get $a))
            (v128.store offset=16 (local.get $place) (local.get $b))
            (v128.store offset=32 (local.get $place) (local.get $c))
            (v128.store offset=48 (local.get $place) (local.get $d))
            (local.set $column (i32.add (local.get $column) (i32.const 64)))
            (br $many)))
        ;; then four
        (block $none
          (loop $four
            (br_if $none (i32.ge_u (local.get $column) (local.get $wide)))
            (local.set $place (i32.add (local.get $right) (local.get $column)))
            (local.set $from (local.get $left))
            (local.set $a (v128.const f32x4 0 0 0 0))
            (loop $sum
              (local.set $a (f32x4.add (local.get $a)
                (f32x4.mul (v128.load32_splat (local.get $from)) (v128.load (local.get $place)))))
              (local.set $place (i32.add (local.get $place) (local.get $wide)))
              (local.set $from (i32.add (local.get $from) (i32.const 4)))
              (br_if $sum (i32.lt_u (local.get $from) (local.get $end))))
            (v128.store (i32.add (local.get $result) (local.get $column)) (local.get $a))
            (local.set $column (i32.add (local.get $column) (i32.const 16)))
            (br $four)))
        (local.set $left (i32.add (local.get $left) (local.get $stride)))
        (local.set $result (i32.add (local.get $result) (local.get $wide)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row)))))
