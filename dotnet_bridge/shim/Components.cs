// UnityEngine's objects and components, as far as the package uses them, and the loop that calls their messages.
#nullable enable

using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace UnityEngine
{
    /// <summary>What can be destroyed; once it is, it equals null.</summary>
    public class Object
    {
        internal bool Destroyed;

        public string name { get; set; } = "";

        public static implicit operator bool(Object? exists) => !IsNull(exists);

        public static bool operator ==(Object? x, Object? y) => IsNull(x) ? IsNull(y) : ReferenceEquals(x, y);

        public static bool operator !=(Object? x, Object? y) => !(x == y);

        public override bool Equals(object? other) => other is Object one ? this == one : other is null && IsNull(this);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        /// <summary>Destroys at once, which the engine does at the end of the frame.</summary>
        public static void Destroy(Object? obj) => DestroyImmediate(obj);

        public static void DestroyImmediate(Object? obj)
        {
            if (obj is GameObject one) one.End();
            else if (obj is Component part) part.gameObject.Remove(part);
            else if (obj is ScriptableObject asset && !asset.Destroyed) Messages.Send(asset, "OnDestroy");
            if (obj is { }) obj.Destroyed = true;
        }

        private static bool IsNull(Object? one) => one is null || one.Destroyed;
    }

    public class Component : Object
    {
        internal GameObject? Owner;

        public GameObject gameObject => Owner ?? throw new NullReferenceException("the component is on no GameObject");

        public T GetComponent<T>() => gameObject.GetComponent<T>();

        public bool TryGetComponent<T>(out T component) => gameObject.TryGetComponent(out component);
    }

    public class Behaviour : Component
    {
        private bool _enabled = true;

        public bool enabled
        {
            get => _enabled;
            set
            {
                bool was = isActiveAndEnabled;
                _enabled = value;
                if (Owner != null && was != isActiveAndEnabled) Messages.Send(this, value ? "OnEnable" : "OnDisable");
            }
        }

        public bool isActiveAndEnabled => _enabled && Owner != null && Owner.activeSelf && !Destroyed;
    }

    public class MonoBehaviour : Behaviour
    {
        internal bool Woken, Started;
    }

    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>() where T : ScriptableObject
        {
            var made = Activator.CreateInstance<T>();
            Messages.Send(made, "OnEnable");
            return made;
        }
    }

    /// <summary>An object of the scene with its components. It lives until it is destroyed, or the shim's scene is cleared.</summary>
    public sealed class GameObject : Object
    {
        private readonly List<Component> _parts = new List<Component>();

        public GameObject(string name = "")
        {
            this.name = name;
            activeSelf = true;
            Scene.Objects.Add(this);
        }

        public bool activeSelf { get; private set; }

        public void SetActive(bool value)
        {
            if (activeSelf == value) return;
            if (!value) Each("OnDisable");
            activeSelf = value;
            if (value) Each("OnEnable");
        }

        public T AddComponent<T>() where T : Component, new()
        {
            foreach (var needed in typeof(T).GetCustomAttributes<RequireComponent>())
                if (!_parts.Any(one => needed.m_Type0.IsInstanceOfType(one))) Put((Component)Activator.CreateInstance(needed.m_Type0)!);
            if (typeof(T).IsDefined(typeof(DisallowMultipleComponent)) && _parts.Any(one => one is T))
                throw new InvalidOperationException($"The component {typeof(T).Name} can't be added: {name} has one");
            return (T)Put(new T());
        }

        public T GetComponent<T>()
        {
            foreach (var one in _parts)
                if (one is T found) return found;
            return default!;
        }

        public T[] GetComponents<T>() => _parts.OfType<T>().ToArray();

        public bool TryGetComponent<T>(out T component)
        {
            component = GetComponent<T>();
            return component is { };
        }

        internal IEnumerable<MonoBehaviour> Scripts => activeSelf ? _parts.OfType<MonoBehaviour>().ToArray() : Array.Empty<MonoBehaviour>();

        internal void Remove(Component part)
        {
            if (!_parts.Remove(part)) return;
            if (part is MonoBehaviour script)
            {
                if (script.isActiveAndEnabled) Messages.Send(script, "OnDisable");
                if (script.Woken) Messages.Send(script, "OnDestroy");
            }
            part.Destroyed = true;
        }

        internal void End()
        {
            foreach (var one in _parts.ToArray()) Remove(one);
            Scene.Objects.Remove(this);
        }

        private Component Put(Component part)
        {
            part.Owner = this;
            part.name = name;
            _parts.Add(part);
            if (activeSelf) Wake(part);
            return part;
        }

        private void Each(string message)
        {
            foreach (var one in _parts.ToArray())
                if (message == "OnEnable") Wake(one);
                else if (one is MonoBehaviour script && script.isActiveAndEnabled) Messages.Send(script, message);
        }

        private static void Wake(Component part)
        {
            if (!(part is MonoBehaviour script)) return;
            if (!script.Woken) Messages.Send(script, "Awake");
            script.Woken = true;
            if (script.isActiveAndEnabled) Messages.Send(script, "OnEnable");
        }
    }

    /// <summary>The shim's own: a component's private methods that the engine calls by name. What they throw is logged, as there.</summary>
    public static class Messages
    {
        private static readonly Dictionary<(Type, string), MethodInfo?> Known = new Dictionary<(Type, string), MethodInfo?>();

        public static void Send(Object to, string message)
        {
            var key = (to.GetType(), message);
            if (!Known.TryGetValue(key, out var method)) Known[key] = method = Find(to.GetType(), message);
            if (method == null) return;
            try
            {
                method.Invoke(to, null);
            }
            catch (TargetInvocationException thrown)
            {
                Debug.LogException(thrown.InnerException!);
            }
        }

        /// <summary>The method of that name and with those parameters, of the type or one that it comes from.</summary>
        public static MethodInfo? Find(Type? type, string name, params Type[] parameters)
        {
            const BindingFlags own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
            for (; type != null && type != typeof(Object); type = type.BaseType)
            {
                var found = type.GetMethod(name, own, null, parameters, null);
                if (found != null) return found;
            }
            return null;
        }
    }

    /// <summary>The shim's own: what there is, and one turn of the player loop.</summary>
    public static class Scene
    {
        internal static readonly List<GameObject> Objects = new List<GameObject>();

        /// <summary>Start where it is due, then Update and LateUpdate of all, by their execution order.</summary>
        public static void Step() => Step(Objects.SelectMany(one => one.Scripts));

        /// <summary>The same for one object: a game of its own among several of a process.</summary>
        public static void Step(GameObject one) => Step(one.Scripts);

        private static void Step(IEnumerable<MonoBehaviour> scripts)
        {
            var all = scripts.OrderBy(OrderOf).ToArray();
            foreach (var one in all)
                if (one.isActiveAndEnabled && !one.Started)
                {
                    one.Started = true;
                    Messages.Send(one, "Start");
                }
            foreach (string message in new[] { "Update", "LateUpdate" })
                foreach (var one in all)
                    if (one.isActiveAndEnabled) Messages.Send(one, message);
        }

        /// <summary>Destroys everything.</summary>
        public static void Clear()
        {
            foreach (var one in Objects.ToArray()) Object.DestroyImmediate(one);
        }

        private static int OrderOf(MonoBehaviour one) => one.GetType().GetCustomAttribute<DefaultExecutionOrder>()?.order ?? 0;
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute { }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class HeaderAttribute : Attribute
    {
        public HeaderAttribute(string header) => this.header = header;

        public readonly string header;
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string tooltip) => this.tooltip = tooltip;

        public readonly string tooltip;
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class RangeAttribute : Attribute
    {
        public RangeAttribute(float min, float max) => (this.min, this.max) = (min, max);

        public readonly float min, max;
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class MinAttribute : Attribute
    {
        public MinAttribute(float min) => this.min = min;

        public readonly float min;
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TextAreaAttribute : Attribute
    {
        public TextAreaAttribute(int minLines, int maxLines) => (this.minLines, this.maxLines) = (minLines, maxLines);

        public readonly int minLines, maxLines;
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class AddComponentMenu : Attribute
    {
        public AddComponentMenu(string menuName) => componentMenu = menuName;

        public string componentMenu { get; }
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class DisallowMultipleComponent : Attribute { }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class DefaultExecutionOrder : Attribute
    {
        public DefaultExecutionOrder(int order) => this.order = order;

        public int order { get; }
    }

    [AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
    public sealed class RequireComponent : Attribute
    {
        public RequireComponent(Type requiredComponent) => m_Type0 = requiredComponent;

        public Type m_Type0;
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class HelpURLAttribute : Attribute
    {
        public HelpURLAttribute(string url) => URL = url;

        public string URL { get; }
    }

    /// <summary>The frame's time. The real clock, or the shim's own where a test sets it.</summary>
    public static class Time
    {
        private static readonly System.Diagnostics.Stopwatch Clock = System.Diagnostics.Stopwatch.StartNew();

        /// <summary>The shim's own: seconds that take the clock's place; negative for the clock.</summary>
        public static double Told { get; set; } = -1;

        public static double realtimeSinceStartupAsDouble => Told >= 0 ? Told : Clock.Elapsed.TotalSeconds;

        public static float deltaTime => 1f / 60;
    }
}

namespace UnityEngine.Events
{
    public delegate void UnityAction<T0>(T0 arg0);

    /// <summary>An event that the inspector shows.</summary>
    [Serializable]
    public class UnityEvent<T0>
    {
        private readonly List<UnityAction<T0>> _calls = new List<UnityAction<T0>>();

        public void AddListener(UnityAction<T0> call) => _calls.Add(call);

        public void RemoveListener(UnityAction<T0> call) => _calls.Remove(call);

        /// <summary>Calls all; what one throws is logged, and the next is called.</summary>
        public void Invoke(T0 arg0)
        {
            foreach (var call in _calls.ToArray())
                try
                {
                    call(arg0);
                }
                catch (Exception thrown)
                {
                    Debug.LogException(thrown);
                }
        }
    }
}
