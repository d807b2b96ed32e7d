"""Fusions of XLA are named after the operation that takes their time."""

from __future__ import annotations

from dlworkloads.operator_classes import class_of
from dlworkloads.runtimes.hlo import names_of_fusions

PROGRAM = """
HloModule jit_step, is_scheduled=true, entry_computation_layout={(f32[8,4]{1,0})->f32[8,2]{1,0}}

%region_2.6 (reduce_sum.1: f32[], reduce_sum.2: f32[]) -> f32[] {
  %reduce_sum.1 = f32[] parameter(0)
  ROOT %add.1 = f32[] add(%reduce_sum.1, %reduce_sum.1)
}

%fused_computation.4 (param_0.6: f32[8,4], param_1.6: f32[4,2]) -> f32[8,2] {
  %param_0.6 = f32[8,4]{1,0} parameter(0)
  %param_1.6 = f32[4,2]{1,0} parameter(1)
  %dot.3 = f32[8,2]{1,0} dot(%param_0.6, %param_1.6), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %maximum.1 = f32[8,2]{1,0} maximum(%dot.3, %dot.3)
}

%fused_computation.5 (param_0.7: f32[8,2], param_1.7: f32[]) -> (f32[2], f32[2]) {
  %param_0.7 = f32[8,2]{1,0} parameter(0)
  %param_1.7 = f32[] parameter(1)
  %reduce_sum.7 = f32[2]{0} reduce(%param_0.7, %param_1.7), dimensions={0}, to_apply=%region_2.6
  ROOT %tuple.1 = (f32[2]{0}, f32[2]{0}) tuple(%reduce_sum.7, %reduce_sum.7)
}

%wrapped_add_computation (param_0.8: f32[2]) -> f32[2] {
  %param_0.8 = f32[2]{0} parameter(0)
  ROOT %add.2 = f32[2]{0} add(%param_0.8, %param_0.8)
}

ENTRY %main.10 (x.1: f32[8,4], w.1: f32[4,2]) -> f32[8,2] {
  %x.1 = f32[8,4]{1,0} parameter(0), metadata={op_name="x"}
  %w.1 = f32[4,2]{1,0} parameter(1), metadata={op_name="w"}
  %ynn_fusion.12 = f32[8,2]{1,0} fusion(%x.1, %w.1), kind=kCustom, calls=%fused_computation.4, backend_config={"a":"b"}
  %multiply_reduce_fusion = (f32[2]{0}, f32[2]{0}) fusion(%ynn_fusion.12), kind=kInput, calls=%fused_computation.5
  %ynn_fusion.3 = (f32[2]{0}, f32[2]{0}) fusion(%ynn_fusion.12), kind=kCustom, calls=%fused_computation.5
  %wrapped_add = f32[2]{0} fusion(%ynn_fusion.3), kind=kLoop, calls=%wrapped_add_computation
  %custom-call.2 = f32[8,2]{1,0} custom-call(%x.1, %w.1), custom_call_target="__onednn$matmul"
  ROOT %copy.1 = f32[8,2]{1,0} copy(%ynn_fusion.12)
}
"""


def test_fusions_and_custom_calls_say_what_they_compute() -> None:
    names = names_of_fusions(PROGRAM)
    assert names == {
        "ynn_fusion.12": "ynn_fusion(dot)",
        "ynn_fusion.3": "ynn_fusion(reduce)",
        "custom-call.2": "custom-call(__onednn$matmul)",
    }
    assert {instruction: class_of(name) for instruction, name in names.items()} == {
        "ynn_fusion.12": "matrix product",
        "ynn_fusion.3": "other",
        "custom-call.2": "matrix product",
    }


def test_a_text_that_is_no_program_gives_no_names() -> None:
    assert names_of_fusions("") == names_of_fusions("nothing = of(the kind)\n}") == {}
