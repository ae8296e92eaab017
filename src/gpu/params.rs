//! The uniform block of a kernel, declared once in Rust and compared with the WGSL by a test.

/// The type of a field of a uniform block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `u32`
    U32,
    /// `i32`
    I32,
    /// `f32`
    F32,
}

/// A field of a uniform block.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in Rust and in WGSL.
    pub name: &'static str,
    /// Offset in bytes.
    pub offset: usize,
    /// Its type.
    pub kind: FieldKind,
}

/// A type that [`gpu_params!`](crate::gpu::gpu_params) declares.
pub trait ParamBlock: bytemuck::Pod {
    /// The fields, in order.
    const FIELDS: &'static [Field];
}

#[doc(hidden)]
#[macro_export]
macro_rules! __gpu_params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident : $kind:ident),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
        $vis struct $name { $(pub $field: $kind),* }

        impl $crate::gpu::ParamBlock for $name {
            const FIELDS: &'static [$crate::gpu::Field] = &[$($crate::gpu::Field {
                name: stringify!($field),
                offset: std::mem::offset_of!($name, $field),
                kind: $crate::__gpu_params!(@kind $kind),
            }),*];
        }
    };
    (@kind u32) => { $crate::gpu::FieldKind::U32 };
    (@kind i32) => { $crate::gpu::FieldKind::I32 };
    (@kind f32) => { $crate::gpu::FieldKind::F32 };
}

/// Declares a `#[repr(C)]` struct of `u32`, `i32` and `f32` fields that is the WGSL struct `Params` of a shader.
pub use crate::__gpu_params as gpu_params;
