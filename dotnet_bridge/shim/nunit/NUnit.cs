// NUnit and Unity's test framework, as far as the package's own tests go, and a runner.
#nullable enable

using System;
using System.Collections.Generic;
using System.Reflection;

namespace NUnit.Framework
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute { }

    public sealed class AssertionException : Exception
    {
        public AssertionException(string message) : base(message) { }
    }

    public static class Assert
    {
        public static void AreEqual(object? expected, object? actual, string? message = null)
        {
            if (!Equals(expected, actual)) throw new AssertionException($"{expected} was expected, {actual} it is: {message}");
        }

        public static void IsTrue(bool condition, string? message = null) => AreEqual(true, condition, message);

        public static void IsFalse(bool condition, string? message = null) => AreEqual(false, condition, message);

        public static T Throws<T>(Action code) where T : Exception
        {
            try
            {
                code();
            }
            catch (T thrown)
            {
                return thrown;
            }
            throw new AssertionException($"no {typeof(T).Name} was thrown");
        }
    }

    /// <summary>The shim's own: runs the tests of an assembly, each on an object of its own.</summary>
    public static class Runner
    {
        /// <summary>A line each: its name, and "ok" or what was thrown.</summary>
        public static string[] Run(string assembly)
        {
            var told = new List<string>();
            foreach (var type in Assembly.Load(assembly).GetTypes())
                foreach (var method in type.GetMethods())
                    if (method.IsDefined(typeof(TestAttribute), false))
                        try
                        {
                            method.Invoke(Activator.CreateInstance(type), null);
                            told.Add($"{type.Name}.{method.Name} ok");
                        }
                        catch (TargetInvocationException thrown)
                        {
                            told.Add($"{type.Name}.{method.Name} {thrown.InnerException}");
                        }
            return told.ToArray();
        }
    }
}

namespace UnityEngine.TestTools
{
    public static class LogAssert
    {
        public static bool ignoreFailingMessages { get; set; }
    }
}
